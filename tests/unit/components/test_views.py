"""Views of runs, health, errors and tables say what they are given."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import dash_mantine_components as dmc
import plotly.utils
import pytest

from components import feedback, grids, health, icons, ids, runs, shell
from services.types import RunStatus
from tests.unit.components.made import (
    HOSTILE,
    make_health,
    make_live,
    make_rows,
    make_summary,
    make_view,
)

VIEW = make_view(30)


def sent(component: Any) -> str:
    """The component as the browser receives it."""
    return json.dumps(component, cls=plotly.utils.PlotlyJSONEncoder, ensure_ascii=False)


@pytest.mark.parametrize("status", list(RunStatus))
def test_every_status_has_a_word_and_an_icon(status: RunStatus) -> None:
    picture, word = runs.status_badge(status).children
    assert picture.className == "as-icon"
    assert word.isalpha()


def test_words_and_icons_of_statuses_differ() -> None:
    badges = [runs.status_badge(status).children for status in RunStatus]
    assert len({word for _, word in badges}) == len(RunStatus)
    assert len({picture.style["maskImage"] for picture, _ in badges}) == len(RunStatus)


def test_facts_name_what_reproduces_the_run() -> None:
    text = sent(runs.run_facts(VIEW))
    for fact in ("demo-1m", "temperature 0.7", "42", "at the token limit", "1.8 s"):
        assert fact in text


def test_greedy_runs_say_so() -> None:
    assert "greedy" in sent(runs.run_facts(replace(VIEW, request={"temperature": 0})))


def test_a_run_in_the_queue_says_how_many_are_in_front() -> None:
    waiting = replace(make_live(0, "waiting"), queue_position=3, status=RunStatus.QUEUED)
    assert "3 in front" in sent(runs.live_progress(waiting)).lower()


def test_progress_says_tokens_and_rate() -> None:
    text = sent(runs.live_progress(make_live(96)))
    assert "96 / 400 tokens" in text
    assert "41.3 tokens/s" in text


def test_recent_runs_link_to_their_runs() -> None:
    items = [make_summary(number=i) for i in range(3)]
    text = sent(runs.recent_runs_list(items))
    assert all(runs.run_href(item.request_id) in text for item in items)


def test_no_runs_are_explained() -> None:
    assert "No runs yet" in sent(runs.recent_runs_list([]))


def test_times_are_utc() -> None:
    eastern = datetime(2026, 11, 20, 9, 5, tzinfo=timezone(timedelta(hours=-5)))
    element = runs.time_element(eastern)
    assert element.children == "2026-11-20 14:05"
    assert element.dateTime == "2026-11-20T14:05:00Z"
    assert runs.time_element(datetime(2026, 1, 1, tzinfo=UTC)).children == "2026-01-01 00:00"


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, "–"), (0, "0 ms"), (950, "950 ms"), (1840, "1.8 s"), (125_000, "2 min 05 s")],
)
def test_durations_read_well(milliseconds: int | None, text: str) -> None:
    assert runs.duration_text(milliseconds) == text


def test_errors_say_what_and_which() -> None:
    text = sent(feedback.error_alert("NOT_FOUND", "No such model", {"model_id": "x" * 900}))
    assert "NOT_FOUND" in text
    assert "No such model" in text
    assert "x" * 400 not in text


def test_an_action_of_an_empty_state_is_shown() -> None:
    assert "Start" in sent(feedback.empty_state("t", "x", dmc.Button("Start")))


def test_controls_of_a_section_are_shown() -> None:
    assert "Switch it" in sent(shell.section("t", [], actions=dmc.Switch(label="Switch it")))
    assert "Do it" in sent(shell.page("t", [], actions=dmc.Button("Do it")))


def test_confirmations_name_both_buttons() -> None:
    text = sent(
        feedback.confirm_modal("gone", title="Delete?", text="Really", confirm_label="Delete")
    )
    for button in (ids.confirm("gone"), ids.dismiss("gone")):
        assert button["type"] in text


def test_errors_stay_until_they_are_closed() -> None:
    assert feedback.notice("a", "b", kind="error")["autoClose"] is False
    assert feedback.notice("a", "b")["autoClose"] > 0


def test_hostile_text_stays_text() -> None:
    hostile = make_summary(prompt_preview=HOSTILE[0], notes=HOSTILE[1], model_id=HOSTILE[2])
    component = runs.recent_runs_list([hostile])
    assert "dangerously" not in sent(component)
    assert json.dumps(HOSTILE[0])[1:-1] in sent(component)


def test_health_counts_what_fails() -> None:
    assert "1 of 3 need a look" in sent(health.health_view(make_health()))
    fine = replace(make_health(), status="ok", checks=make_health().checks[:2])
    assert "Everything works" in sent(health.health_view(fine))


def test_grid_rows_have_the_fields_of_the_columns() -> None:
    rows = grids.row_data(make_rows(VIEW))
    fields = [column["field"] for column in grids.rows_columns()]
    assert set(fields) == {*grids.ROW_FIELDS, "label"} == set(rows[0]) - {"href"}
    assert rows[0]["rank"] == 1
    json.dumps(rows)


def test_grid_rows_say_which_tokens_are_special() -> None:
    special = {t.position for t in VIEW.tokens if t.is_special}
    rows = grids.row_data(make_rows(VIEW))
    assert special
    assert {r["token_position"] for r in rows if r["is_special"]} == special


def test_the_grid_runs_no_markup() -> None:
    text = sent(grids.rows_grid("g"))
    assert "dangerously" not in text
    assert '"rowModelType": "infinite"' in text


@pytest.mark.parametrize("name", icons.NAMES)
def test_icons_are_hidden_decoration_without_a_fetch(name: str) -> None:
    drawn = icons.icon(name)
    assert drawn.style["maskImage"].startswith('url("data:image/svg+xml,')
    assert drawn.to_plotly_json()["props"]["aria-hidden"] == "true"


def test_every_page_id_is_used_once() -> None:
    groups = [g for g in vars(ids).values() if isinstance(g, type)]
    values = [v for g in groups for k, v in vars(g).items() if k.isupper()]
    assert len(values) == len(set(values))
