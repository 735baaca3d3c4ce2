"""Background callbacks in threads: what Dash and its users may rely on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dash import Dash, Input, Output, ctx, html, set_props
from dash.exceptions import PreventUpdate

from pages.thread_manager import JobCancelled, ThreadManager, current_job
from tests.pages.dash_client import Client

Make = Callable[..., tuple[ThreadManager, Client, dict[str, Any]]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(
        function: Callable[..., Any], manager: dict[str, Any] | None = None, **options: Any
    ) -> tuple[ThreadManager, Client, dict[str, Any]]:
        threads = ThreadManager(str(tmp_path / "cache"), **(manager or {}))
        app = Dash("x", background_callback_manager=threads)
        app.layout = html.Div([html.Div(id=i) for i in ("go", "stop", "out", "a", "b", "p")])
        app.callback(
            Output("out", "children"), Input("go", "n_clicks"), background=True,
            prevent_initial_call=True, **options,
        )(function)  # fmt: skip
        client = Client(app)
        return threads, client, client.spec("out.children")

    return made


def result(answers: list[Any]) -> Any:
    return answers[-1].get_json()["response"]["out"]["children"]


def working(threads: ThreadManager) -> int:
    """How many jobs run or wait for a place."""
    return len(threads._jobs)


def until(condition: Callable[[], bool], within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_the_callback_runs_in_this_process_with_its_own_context(make: Make) -> None:
    main = threading.get_ident()
    seen: list[Any] = []

    def work(clicks: int) -> int:
        seen.append((threading.get_ident() != main, ctx.triggered_id))
        return clicks + 1

    _, client, spec = make(work)
    assert result(client.follow(spec, [7])) == 8
    assert seen == [(True, "go")]


def test_the_result_is_handed_out_although_it_came_between_two_questions(make: Make) -> None:
    threads, client, spec = make(lambda clicks: "done")
    handles = client.post(spec, [1]).get_json()
    assert until(lambda: working(threads) == 0)
    handles = {"cacheKey": handles["cacheKey"], "job": handles["job"]}
    assert result(client.poll(spec, [1], handles)) == "done"


def test_equal_requests_each_get_their_own_result(make: Make) -> None:
    counter = iter(range(10))
    _, client, spec = make(lambda clicks: next(counter))
    assert {result(client.follow(spec, [1])), result(client.follow(spec, [1]))} == {0, 1}


def test_progress_reaches_the_browser_while_the_callback_runs(make: Make) -> None:
    go_on = threading.Event()

    def work(report: Callable[[Any], None], clicks: int) -> str:
        report([html.B("half")])
        go_on.wait(10)
        return "whole"

    _, client, spec = make(work, progress=[Output("p", "children")])
    started = client.post(spec, [1]).get_json()
    handles = {"cacheKey": started["cacheKey"], "job": started["job"]}
    shown: list[Any] = []

    def is_shown() -> bool:
        shown.append(client.post(spec, [1], **handles).get_json())
        return "progress" in shown[-1]

    assert until(is_shown)
    assert shown[-1]["progress"]["p.children"]["props"]["children"] == "half"
    go_on.set()
    assert result(client.poll(spec, [1], handles)) == "whole"


def test_several_set_props_between_two_polls_all_arrive(make: Make) -> None:
    def work(clicks: int) -> str:
        set_props("a", {"children": 1})
        set_props("b", {"title": "x"})
        set_props("a", {"title": "y"})
        return "ok"

    threads, client, spec = make(work)
    started = client.post(spec, [1]).get_json()
    assert until(lambda: working(threads) == 0)
    handles = {"cacheKey": started["cacheKey"], "job": started["job"]}
    last = client.poll(spec, [1], handles)[-1].get_json()
    assert last["sideUpdate"] == {"a": {"children": 1, "title": "y"}, "b": {"title": "x"}}


def test_cancelling_stops_the_callback_at_its_next_pause(make: Make) -> None:
    ended = threading.Event()
    started_work = threading.Event()

    def work(clicks: int) -> None:
        started_work.set()
        try:
            while True:
                current_job().pause(0.01)
        except JobCancelled:
            ended.set()
            raise

    _, client, spec = make(work, cancel=[Input("stop", "n_clicks")])
    handles = client.post(spec, [1]).get_json()
    assert started_work.wait(10)
    stop = {"output": "stop.id", "inputs": [{"id": "stop", "property": "n_clicks"}], "state": []}
    assert client.post(stop, [1], cancelJob=handles["job"]).status_code == 200
    assert ended.wait(10)
    handles = {"cacheKey": handles["cacheKey"], "job": handles["job"]}
    assert client.poll(spec, [1], handles)[-1].status_code in (200, 204)


def test_a_forged_cancel_is_ignored(make: Make) -> None:
    go_on = threading.Event()

    def work(clicks: int) -> str:
        go_on.wait(10)
        return "kept"

    _, client, spec = make(work, cancel=[Input("stop", "n_clicks")])
    started = client.post(spec, [1]).get_json()
    stop = {"output": "stop.id", "inputs": [{"id": "stop", "property": "n_clicks"}], "state": []}
    forged = started["job"].split("~")[0] + "~forged"
    client.post(stop, [1], cancelJob=forged)
    go_on.set()
    handles = {"cacheKey": started["cacheKey"], "job": started["job"]}
    assert result(client.poll(spec, [1], handles)) == "kept"


def test_a_callback_that_nobody_polls_is_freed(make: Make) -> None:
    def work(clicks: int) -> None:
        while True:
            current_job().pause(0.01)

    threads, client, spec = make(work, {"abandon_after_s": 0.1})
    client.post(spec, [1])
    assert working(threads) == 1
    assert until(lambda: working(threads) == 0)


def test_many_watchers_do_not_wait_for_each_other(make: Make) -> None:
    together = threading.Barrier(10)
    threads, client, spec = make(lambda clicks: together.wait(10) >= 0)
    for i in range(10):
        client.post(spec, [i])
    assert until(lambda: working(threads) == 0)
    assert not together.broken


def test_beyond_its_places_a_callback_waits_and_then_runs(make: Make) -> None:
    go_on = threading.Event()
    running: list[int] = []

    def work(clicks: int) -> str:
        running.append(clicks)
        go_on.wait(10)
        return "ran"

    _, client, spec = make(work, {"max_workers": 1})
    first = client.post(spec, [1]).get_json()
    assert until(lambda: running == [1])
    second = client.post(spec, [2]).get_json()
    go_on.set()
    for started in (first, second):
        handles = {"cacheKey": started["cacheKey"], "job": started["job"]}
        assert result(client.poll(spec, [1], handles)) == "ran"
    assert running == [1, 2]


def test_an_exception_reaches_the_error_handler(make: Make) -> None:
    def work(clicks: int) -> None:
        raise ValueError("boom")

    _, client, spec = make(work, on_error=lambda error: f"told: {'boom' in str(error)}")
    assert result(client.follow(spec, [1])) == "told: True"


def test_prevent_update_changes_nothing(make: Make) -> None:
    def work(clicks: int) -> None:
        raise PreventUpdate

    _, client, spec = make(work)
    last = client.follow(spec, [1])[-1]
    assert last.status_code == 204 or last.get_json()["response"] == {}


def test_the_signing_secret_outlives_a_restart(tmp_path: Path) -> None:
    first = ThreadManager(str(tmp_path)).get_or_create_signing_secret(lambda: b"one")
    assert ThreadManager(str(tmp_path)).get_or_create_signing_secret(lambda: b"two") == first
