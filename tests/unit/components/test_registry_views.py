"""Models, SAEs, verdicts and tasks are shown by words; what they say stays text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import plotly.utils
import pytest

from components import amounts, catalogue_list, entries, models, offers, saes, tasks, verdicts
from components.preflight_figures import preflight_figures
from services.types import CataloguePage, EntryState, Source, TaskStatus, Verdict
from tests.unit.components.made import HOSTILE
from tests.unit.components.made_registry import (
    FINDINGS,
    make_candidates,
    make_catalogue,
    make_info,
    make_model,
    make_report,
    make_sae,
    make_task,
)

VERDICTS = (*Verdict, None)
ENDPOINT = "https://hub.example"


def sent(component: Any) -> str:
    """The component as the browser receives it."""
    return json.dumps(component, cls=plotly.utils.PlotlyJSONEncoder, ensure_ascii=False)


def links(component: Any) -> list[str]:
    """Every address in it."""
    return re.findall(r'"href": "([^"]*)"', sent(component))


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (None, "–"), (0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (2_113_024, "2.11 MB"),
        (16e9, "16.0 GB"), (999_600, "1 MB"), (3.2e15, "3,200 TB"), (1_536_000_000, "1.54 GB"),
    ],
)  # fmt: skip
def test_sizes_read_well(n: float | None, text: str) -> None:
    assert amounts.bytes_text(n) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0.0, "0"), (36.25, "36.2"), (0.8731, "0.873"), (1234.5, "1,234"),
        (1e-7, "1.00e-07"), (float("nan"), "not finite"), (float("inf"), "not finite"),
        (-0.5, "-0.5"), (100.0, "100"), (99.96, "100"), (9.996, "10.0"),
    ],
)  # fmt: skip
def test_measured_numbers_have_three_figures(value: float | None, text: str) -> None:
    assert amounts.number_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.8731, "87.3 %"), (1.0, "100 %"), (-3.2, "-320 %"), (None, "–")]
)
def test_shares_are_percentages(value: float | None, text: str) -> None:
    assert amounts.share_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59, "59 s"), (61, "1 min 01 s"), (7325, "2 h 02 min")]
)
def test_waiting_times_read_well(seconds: float, text: str) -> None:
    assert amounts.seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("n", "text"), [(None, "–"), (9_999, "9,999"), (1_312_768, "1.31 M"), (8_030_261_248, "8.03 B")]
)
def test_large_counts_are_short(n: int | None, text: str) -> None:
    assert amounts.short_count(n) == text


def test_every_verdict_has_its_own_word_and_icon() -> None:
    badges = [verdicts.verdict_badge(verdict).children for verdict in VERDICTS]
    assert len({word for _, word in badges}) == len(VERDICTS)
    assert len({picture.style["maskImage"] for picture, _ in badges}) == len(VERDICTS)


def test_a_stale_verdict_says_so_beside_the_word() -> None:
    text = sent(verdicts.verdict_badge(Verdict.GOOD, stale=True))
    assert "Good" in text
    assert "Stale" in text
    assert "Stale" not in sent(verdicts.verdict_badge(None, stale=True))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_summary_says_the_verdict_and_the_numbers(verdict: Verdict | None) -> None:
    report = None if verdict is None else make_report(verdict)
    text = sent(verdicts.verdict_summary(report))
    assert (verdict or "not measured") in text.lower()
    assert ("36.2" in text) is (report is not None)
    assert ("87.3 %" in text) is (report is not None)


def test_every_reason_comes_with_its_remedy() -> None:
    text = sent(verdicts.findings_list(FINDINGS))
    for finding in FINDINGS:
        for said in (finding.code, finding.message, finding.remedy):
            assert json.dumps(said, ensure_ascii=False)[1:-1] in text
    assert "every check passed" in sent(verdicts.findings_list(()))


def test_measured_stands_beside_published() -> None:
    rows = verdicts.metrics_table(make_report()).children.children[1].children
    texts = {re.findall(r'"children": \["([^"]+)"', sent(row))[0]: row for row in rows}
    cells = [cell.children for cell in texts["L0"].children[1:]]
    assert cells == ["36.2", "34.0"]
    assert [cell.children for cell in texts["FVU"].children[1:]] == ["12.7 %", "–"]


def test_no_metric_is_hidden() -> None:
    report = make_report()
    assert len(verdicts.metrics_table(report).children.children[1].children) == len(report.metrics)
    assert "of_tomorrow" in sent(verdicts.metrics_table(report))


def test_without_published_figures_there_is_no_column_for_them() -> None:
    assert "Published" not in sent(verdicts.metrics_table(make_report(published={})))


def test_conditions_show_text_and_facts() -> None:
    text = sent(verdicts.conditions_list(make_report()))
    for said in ("quiet morning", "4,096", "float32", "cpu", "yes"):
        assert said in text


def test_the_figures_have_the_reports_numbers() -> None:
    report = make_report()
    figures = {title: figure for title, _, figure in preflight_figures(report)}
    assert list(figures) == [
        "Features per token", "Feature density", "Activation norm",
        "Explained variance by window", "Error by position",
    ]  # fmt: skip
    windows = figures["Explained variance by window"].data[0]
    assert tuple(windows.y) == report.curves["window_explained_variance"]
    assert figures["Activation norm"].layout.shapes[0].x0 == 14.2
    l0 = figures["Features per token"]
    assert tuple(l0.data[0].y) == report.curves["l0_histogram"]
    assert [shape.x0 for shape in l0.layout.shapes] == [36.2, 34.0]
    assert tuple(figures["Error by position"].data[0].y) == report.curves["error_by_position"]


@pytest.mark.parametrize(
    "curves",
    [{}, {"l0_histogram": (1.0,), "l0_edges": (1.0,)}, {"l0_histogram": (), "l0_edges": ()},
     {"error_by_position": ()}, {"l0_edges": (0.0, 1.0)}],
)  # fmt: skip
def test_curves_that_are_not_there_make_no_figure(curves: dict[str, tuple[float, ...]]) -> None:
    assert preflight_figures(make_report(curves=curves)) == []


@pytest.mark.parametrize("state", list(EntryState))
def test_every_state_has_a_word_and_an_icon(state: EntryState) -> None:
    picture, word = entries.state_badge(state).children
    assert picture.className == "as-icon"
    assert word.lower() == state.value
    resident = entries.state_badge(state, is_resident=True).children[1]
    assert (resident == "Loaded") is (state is EntryState.READY)


@pytest.mark.parametrize("source", list(Source))
def test_every_source_has_a_name(source: Source) -> None:
    assert entries.SOURCES[source]


@pytest.mark.parametrize("id", ["a/b", "a b&c=d#e?f", "ü/ß", "javascript:alert(1)"])
def test_addresses_carry_any_id(id: str) -> None:
    from urllib.parse import parse_qs, urlsplit

    for href in (entries.sae_href(id), entries.model_href(id)):
        parts = urlsplit(href)
        assert parts.scheme == parts.netloc == ""
        assert parse_qs(parts.query)["id"] == [id]
    assert parse_qs(urlsplit(entries.playground_href(id, "m/n")).query) == {
        "sae": [id],
        "model": ["m/n"],
    }


@pytest.mark.parametrize("bad", ["javascript:alert(1)", "data:text/html,x", "//evil.example"])
def test_links_outward_are_web_pages_only(bad: str) -> None:
    with pytest.raises(ValueError, match="not the address"):
        entries.outward("x", bad)


def test_links_outward_open_apart_and_tell_nothing() -> None:
    link = entries.outward("x", "https://hub.example/a").to_plotly_json()["props"]
    assert link["target"] == "_blank"
    assert "noopener" in link["rel"]
    assert "noreferrer" in link["rel"]


def test_the_list_of_saes_shows_verdict_numbers_and_problem() -> None:
    cards = [
        make_sae(), make_sae(Verdict.BROKEN, 2), make_sae(None, 3),
        make_sae(None, 4, state=EntryState.UNUSABLE, problem="W_enc is missing"),
        make_sae(Verdict.GOOD, 5, is_stale=True),
    ]  # fmt: skip
    text = sent(saes.sae_table(cards))
    said = (
        "Good",
        "Broken",
        "Not measured",
        "Unusable",
        "W_enc is missing",
        "Stale",
        "2,048",
        "36.2",
    )
    for word in said:
        assert word in text
    assert entries.sae_href("demo-l3-res") in links(saes.sae_table(cards))


def test_facts_of_an_sae_name_where_it_came_from() -> None:
    text = sent(saes.sae_facts(make_sae(), ENDPOINT))
    for said in (
        "128 → 2,048",
        "sae_lens",
        "2.11 MB",
        "someone/gpt2-small-saes",
        "layer_1/width_2k",
    ):
        assert said in text
    found = links(saes.sae_facts(make_sae(), ENDPOINT))
    assert f"{ENDPOINT}/someone/gpt2-small-saes/tree/{'5c' * 20}/layer_1/width_2k" in found
    assert "https://neuronpedia.org/gpt2-small/6-res-jb" in found


def test_a_features_page_on_neuronpedia() -> None:
    link = saes.neuronpedia(make_info(), 42)
    assert link.href == "https://neuronpedia.org/gpt2-small/6-res-jb/42"
    assert saes.neuronpedia(make_info(neuronpedia_id=None), 42) is None
    assert saes.neuronpedia(None) is None


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_choice_of_saes_names_layer_and_verdict(verdict: Verdict | None) -> None:
    label = saes.sae_label(make_info(verdict))
    assert "layer 1" in label
    assert (verdict or "not measured") in label
    assert ("⚠" in label) is (verdict in (Verdict.BROKEN, Verdict.SUSPICIOUS))


def test_a_model_says_what_it_takes_and_which_saes_fit() -> None:
    text = sent(models.model_card(make_model(), []))
    for said in ("llama", "1.31 M", "4,096", "F32", "6.5 MB of 16.0 GB", "demo-l2-res", "Broken"):
        assert said in text
    assert "does not fit" not in text


def test_a_model_that_does_not_fit_says_so() -> None:
    card = make_model(memory_bytes=32_000_000_000)
    assert "does not fit" in sent(models.model_card(card, []))
    assert "does not fit" in sent(models.model_card(make_model(budget_bytes=0), []))


def test_many_saes_of_a_model_are_behind_a_link() -> None:
    card = make_model()
    many = tuple(make_info(number=i) for i in range(9))
    text = sent(models.model_card(replace(card, info=replace(card.info, saes=many)), []))
    assert "3 more" in text


def test_progress_says_amount_rate_and_time_left() -> None:
    text = sent(tasks.task_progress(make_task()))
    for said in ("Downloading", "151 MB of 302 MB", "4.2 MB/s", "36 s left"):
        assert said in text
    tokens = make_task(done=512, total=4096, unit="tokens", per_s=890.6, phase="measuring")
    text = sent(tasks.task_progress(tokens))
    for said in ("512 tokens of 4,096 tokens", "891 tokens/s", "4 s left"):
        assert said in text


@pytest.mark.parametrize("per_s", [None, 0.0])
def test_nothing_is_promised_without_a_rate(per_s: float | None) -> None:
    task = make_task(per_s=per_s, total=None, done=0)
    assert tasks.rate_text(task) == tasks.left_text(task) == tasks.amount_text(task) == ""


@pytest.mark.parametrize("status", list(TaskStatus))
def test_a_final_task_has_no_bar_and_says_what_went_wrong(status: TaskStatus) -> None:
    task = make_task(
        status, problems=("layer_3: not an SAE",), error_code="NOT_FOUND", error_message="no repo"
    )
    text = sent(tasks.task_progress(task))
    assert ('"type": "Progress"' in text) is not status.is_final
    assert "layer_3: not an SAE" in text
    assert "no repo" in text


def test_the_catalogue_says_how_many_there_are() -> None:
    props = catalogue_list.list_props(make_catalogue(), "gemma")
    assert props["note"] == "2,833 found, the best 4 shown"
    assert [item["sae"] for item in props["items"]][:2] == [
        "layer_12/width_16k/canonical", "layer_13/width_16k/canonical",
    ]  # fmt: skip
    assert "16,384 features" in props["items"][0]["facts"]
    link = "https://neuronpedia.org/gemma-2-2b/12-gemmascope-res-16k"
    assert props["items"][0]["neuronpedia"] == link
    assert [bool(item["problem"]) for item in props["items"]] == [False, False, False, True]


def test_a_search_without_an_answer_suggests_another() -> None:
    props = catalogue_list.list_props(CataloguePage((), 0, "gemma-2-2b"), HOSTILE[0])
    assert props["items"] == []
    assert HOSTILE[0] in props["note"]
    assert props["suggestion"] == "gemma-2-2b"


def test_candidates_are_grouped_and_all_chosen() -> None:
    found = make_candidates()
    choice = offers.candidate_choice("choice", found)
    assert choice.value == ["layer_1/a", "layer_1/b", "layer_2/a"]
    text = sent(choice)
    assert text.count('"H3"') == 2
    assert "does not say its model and hook point" in text
    assert "a pickle" in sent(offers.candidate_problems(found))
    assert offers.candidate_problems(found[:3]) is None


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(text: str) -> None:
    info = make_info(
        sae_id=text, model_id=text, hook_name=text, architecture=text, neuronpedia_id=text,
        trained_on=text,
    )  # fmt: skip
    card = make_sae(info=info, repo_id=text, repo_path=text, path=text, problem=text, format=text)
    model = make_model(info=replace(make_model().info, model_id=text, family=text, saes=(info,)))
    drawn = [
        saes.sae_table([card]), saes.sae_facts(card, ENDPOINT), models.model_card(model, []),
        models.model_facts(model, ENDPOINT), tasks.task_progress(make_task(title=text)),
        offers.candidate_choice("c", [replace(make_candidates()[0], path=text)]),
    ]  # fmt: skip
    for component in drawn:
        assert "dangerously" not in sent(component)
        for href in links(component):
            assert href.startswith(("/", "https://hub.example/", "https://neuronpedia.org/")), href
