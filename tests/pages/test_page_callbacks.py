"""Callbacks under honest and dishonest requests."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from dash import Dash

from pages.context import container_of
from services.errors import Unsupported
from services.runs.queries import RunQuery
from services.runs.request import RunRequest
from services.runs.service import RunService
from tests.pages.dash_client import Client

BAD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, "", "nope", "\x00", "../../x", "x" * 3000, [], [None], {}, {"run": 1},
    {"run": "nope", "final": True, "sae": "nope"}, {"run": ["a"], "n": {}}, {"request": []},
    {"request": {"prompt": 1}}, {"request": {"prompt": "a", "temperature": "hot"}},
    {"startRow": "a", "endRow": None}, {"startRow": 0, "endRow": -5, "sortModel": [{"colId": "x"}]},
    {"startRow": 0, "endRow": 10**9, "sortModel": "x"}, {"sortModel": [1]},
)  # fmt: skip


@pytest.fixture
def runs(app: Dash) -> RunService:
    return container_of(app).runs


@pytest.fixture
def finished(runs: RunService) -> str:
    asked = RunRequest(prompt="What is 3 + 4?", max_tokens=4, temperature=0.0, seed=1)
    return runs.wait(runs.start(asked).request_id).request_id


def server_callbacks(client: Client) -> list[dict[str, Any]]:
    """The server's callbacks but Dash's own router."""
    own = [s for s in client.specs if "_pages_content" not in s["output"]]
    return [s for s in own if not s["clientside_function"]]


def submit_spec(client: Client) -> dict[str, Any]:
    return next(s for s in client.specs if s["inputs"][0]["id"] == "play-submission")


def side_text(*answers: Any) -> str:
    """What was set beside the results; with which of several answers it comes is chance."""
    return json.dumps([(answer.get_json() or {}).get("sideUpdate", {}) for answer in answers])


def test_no_value_in_any_place_of_any_callback_is_a_500(client: Client, finished: str) -> None:
    for spec in server_callbacks(client):
        places = len(spec["inputs"]) + len(spec["state"])
        for value in BAD_VALUES:
            values = [value] * places
            inputs, state = values[: len(spec["inputs"])], values[len(spec["inputs"]) :]
            answer = client.post(spec, inputs, state)
            assert answer.status_code in (200, 204), (spec["output"], value, answer.text)
            assert "incident" not in answer.text, (spec["output"], value, answer.text)


def test_submitting_starts_a_run_and_looks_at_it(client: Client, runs: RunService) -> None:
    request = {"prompt": "Hello", "max_tokens": 1, "sae_ids": [], "request_id": "mine"}
    spec = submit_spec(client)
    answer = client.post(spec, [{"request": request}])
    assert answer.get_json()["response"]["run-view"]["data"] == {"run": "mine"}
    assert runs.wait("mine").prompt_preview == "Hello"


def test_the_same_submission_twice_is_one_run(client: Client, runs: RunService) -> None:
    spec = submit_spec(client)
    body = {"request": {"prompt": "Hi", "max_tokens": 1, "sae_ids": [], "request_id": "once"}}
    first, second = client.post(spec, [body]), client.post(spec, [body])
    assert first.get_json()["response"] == second.get_json()["response"]
    assert len(runs.list(RunQuery()).items) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "a", "temperature": 9}, "temperature"),
        ({"prompt": "a", "top_p": 0}, "top_p"),
        ({"prompt": "a", "model_id": "no-such-model"}, "no-such-model"),
        ({"prompt": "a", "sae_ids": ["no-such-sae"]}, "no-such-sae"),
    ],
)
def test_a_wrong_form_says_which_value_is_wrong(
    client: Client, wrong: dict[str, Any], said: str
) -> None:
    spec = submit_spec(client)
    answer = client.post(spec, [{"request": wrong}])
    update = answer.get_json()["sideUpdate"]
    assert said in json.dumps(update["play-error"])


def test_an_unknown_run_is_an_error_on_the_panel_not_a_500(client: Client) -> None:
    answer = client.post(client.spec("run-shown.data"), ["gone", None], [{"run": "gone"}, "/"])
    assert "gone" in json.dumps(answer.get_json()["sideUpdate"]["run-error"])


def test_details_stand_where_no_python_can_be_given(
    client: Client, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = RunService.code

    def only_curl(self: RunService, run_id: str, language: Any, *more: Any) -> str:
        if language == "python":
            raise Unsupported("nothing was computed")
        return real(self, run_id, language, *more)

    monkeypatch.setattr(RunService, "code", only_curl)
    answer = client.post(client.spec("run-details.children"), [{"run": finished}]).get_json()
    text = json.dumps(answer["response"])
    for said in ("Facts", "Notes", "Provenance", "nothing was computed", "run-code-curl"):
        assert said in text
    assert "sideUpdate" not in answer


def test_an_error_is_taken_down_by_the_next_success(client: Client, finished: str) -> None:
    spec = client.spec("run-shown.data")
    told = client.post(spec, ["gone", None], [{"run": "gone"}, "/"]).get_json()["sideUpdate"]
    shown = told["run-error"]["children"]
    answer = client.post(spec, [finished, None], [{"run": finished}, "/", shown]).get_json()
    assert answer["sideUpdate"]["run-error"] == {"children": None}


def test_watching_a_run_that_is_gone_says_so_and_is_no_incident(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    note = side_text(*client.follow(client.spec("run-watch.data"), [{"run": "gone", "n": 0}]))
    assert "Not found" in note
    assert "gone" in note
    assert "Traceback" not in note
    assert "incident" not in note + caplog.text


def test_a_bug_in_a_watcher_shows_an_incident_and_logs_its_traceback(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(RunService, "live", broken)
    answers = client.follow(client.spec("run-watch.data"), [{"run": "x", "n": 0}])
    assert "incident" in side_text(*answers)
    assert not any("secret" in answer.text for answer in answers)
    assert "secret detail" in caplog.text


def test_a_bug_shows_an_incident_and_no_traceback(
    client: Client, app: Dash, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(container_of(app), "health", broken)
    answer = client.post(client.spec("health-content.children"), [1])
    assert answer.status_code == 200
    assert "secret" not in answer.text
    incident = answer.get_json()["sideUpdate"]["health-error"]["children"]["props"]
    assert "incident" in json.dumps(incident)
    assert "secret detail" in caplog.text


def test_following_reports_what_is_written_and_ends_with_the_run(
    client: Client, runs: RunService
) -> None:
    asked = RunRequest(prompt="Once upon a time", max_tokens=40, temperature=0.0, sae_ids=())
    run_id = runs.start(asked).request_id
    answers = client.follow(client.spec("run-watch.data"), [{"run": run_id, "n": 0}], within_s=90)
    assert json.dumps({"run-ended": {"data": {"run": run_id}}})[1:-1] in side_text(*answers)
    assert runs.summary(run_id).status.is_final
    reports = [a.get_json()["progress"] for a in answers if "progress" in (a.get_json() or {})]
    assert reports[-1]["run-beat.data"]["run"] == run_id
    assert len(reports[-1]["run-live.tokens"]) >= runs.summary(run_id).output_tokens


def test_the_slow_tick_finds_the_end_and_restarts_a_silent_watcher(
    client: Client, finished: str, runs: RunService
) -> None:
    spec = client.spec("run-heard.data")
    ended = client.post(spec, [1], [finished, None, None]).get_json()["response"]
    assert ended["run-ended"]["data"] == {"run": finished}
    assert "run-followed" not in ended


def test_rows_are_complete_and_sorted_by_the_server(client: Client, finished: str) -> None:
    spec = client.spec("run-rows.getRowsResponse")
    shown = {"run": finished, "final": True, "sae": "demo-l1-res"}

    def fetch(start: int, end: int, **more: Any) -> dict[str, Any]:
        request = {"startRow": start, "endRow": end, **more}
        answer = client.post(spec, [request], [{"run": finished, "special": True}, shown])
        return answer.get_json()["response"]["run-rows"]["getRowsResponse"]

    total = fetch(0, 1)["rowCount"]
    strongest = fetch(0, 500, sortModel=[{"colId": "activation_value", "sort": "desc"}])["rowData"]
    values = [row["activation_value"] for row in strongest]
    assert values == sorted(values, reverse=True)
    everything = [row for at in range(0, total, 50) for row in fetch(at, at + 50)["rowData"]]
    assert len(everything) == total
    assert len({(r["token_position"], r["feature_id"]) for r in everything}) == total


def links(component: Any) -> list[str]:
    """The addresses that the component, as sent, leads to."""
    if isinstance(component, list):
        return [href for part in component for href in links(part)]
    if not isinstance(component, dict):
        return []
    props = component.get("props", {})
    return [*([props["href"]] if "href" in props else []), *links(props.get("children"))]


def test_downloads_hold_what_the_grid_shows(client: Client, finished: str) -> None:
    shown = {"run": finished, "final": True, "sae": "demo-l2-res"}
    view = {"run": finished, "sae": "demo-l2-res", "segment": "prompt", "special": True,
            "row_from": 1, "row_to": 3, "row_rank": 2}  # fmt: skip
    drawn = client.post(client.spec("run-drawn.data"), [shown, view], [None, "light"]).get_json()
    hrefs = links(drawn["response"]["run-downloads"]["children"])
    assert len(hrefs) == 5
    files = [client.http.get(href, base_url="http://localhost") for href in hrefs]
    assert [file.status_code for file in files] == [200] * 5
    rows = next(f for f, h in zip(files, hrefs, strict=True) if "what=rows&format=csv" in h)
    asked = [{"startRow": 0, "endRow": 500}]
    grid = client.post(client.spec("run-rows.getRowsResponse"), asked, [view, shown]).get_json()
    listed = grid["response"]["run-rows"]["getRowsResponse"]["rowData"]
    assert 0 < len(listed) <= 6
    kept = [(int(r["token_position"]), int(r["feature_id"]), r["sae_id"])
            for r in csv.DictReader(io.StringIO(rows.get_data(as_text=True)))]  # fmt: skip
    assert kept == [(r["token_position"], r["feature_id"], r["sae_id"]) for r in listed]


@pytest.mark.parametrize(
    "changed",
    [{"sae": "demo-l2-res"}, {"segment": "output"}, {"special": True}, {"row_feature": 3},
     {"row_from": 1}, {"row_to": 2}, {"row_rank": 1}],
)  # fmt: skip
def test_downloads_follow_the_view(client: Client, finished: str, changed: dict[str, Any]) -> None:
    spec = client.spec("run-drawn.data")
    shown = {"run": finished, "final": True, "sae": "demo-l1-res"}
    drawn = {"run": finished}
    answer = client.post(spec, [shown, drawn | changed], [drawn, "light"]).get_json()["response"]
    assert links(answer["run-downloads"]["children"])


TOKEN_BOXES = {"run-strip-box", "run-pinned", "run-downloads"}
FIGURE_BOXES = {"run-bars-box", "run-heatmap-box", "run-deltas-box"}


@pytest.mark.parametrize(
    ("store", "boxes", "redrawn"),
    [
        ("run-drawn", TOKEN_BOXES, set()),
        ("run-drawn-figures", FIGURE_BOXES, {"run-heatmap-box", "run-deltas-box"}),
    ],
)
def test_only_what_the_view_changed_is_drawn_again(
    client: Client, finished: str, store: str, boxes: set[str], redrawn: set[str]
) -> None:
    spec = client.spec(f"{store}.data")
    shown = {"run": finished, "final": True, "sae": "demo-l1-res"}
    first = client.post(spec, [shown, {"run": finished}], [None, "light"]).get_json()["response"]
    assert boxes <= set(first)
    drawn = first[store]["data"]
    pinned = client.post(spec, [shown, {"run": finished, "token": 2}], [drawn, "light"])
    assert boxes & set(pinned.get_json()["response"]) == redrawn


def test_a_link_to_an_sae_that_the_run_lacks_shows_the_run(client: Client, finished: str) -> None:
    spec = client.spec("run-drawn.data")
    shown = {"run": finished, "final": True, "sae": "demo-l1-res"}
    answer = client.post(spec, [shown, {"run": finished, "sae": "other"}], [None, "dark"])
    assert "run-strip-box" in answer.get_json()["response"]


def test_a_running_run_cannot_be_deleted_and_says_why(client: Client, runs: RunService) -> None:
    asked = RunRequest(prompt="long", max_tokens=400, temperature=1.0, sae_ids=())
    run_id = runs.start(asked).request_id
    spec = next(s for s in client.specs if s["state"] and s["state"][0]["id"] == "runs-doomed")
    answer = client.post(spec, [1], [run_id])
    runs.cancel(run_id)
    runs.wait(run_id)
    assert "runs-error" in side_text(answer)
