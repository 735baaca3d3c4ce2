"""Following a run by server-sent events."""

from __future__ import annotations

import json

from services.web.state import LONG_REQUESTS
from tests.integration.rest.conftest import Api, assert_is_error


def _events(answer: object) -> list[tuple[str, dict, int]]:
    blocks = answer.get_data(as_text=True).split("\n\n")
    assert blocks.pop() == ""
    parsed = []
    for block in blocks:
        if block.startswith(":"):
            continue
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        parsed.append((fields["event"], json.loads(fields["data"]), int(fields["id"])))
    return parsed


def test_a_run_is_told_in_order_and_the_stream_ends_with_it(api: Api) -> None:
    started = api.run(headers={"Prefer": "respond-async"}, max_tokens=40, request_id="told")
    assert started.status_code == 202
    answer = api.get("told/events")
    assert answer.mimetype == "text/event-stream"
    events = _events(answer)
    names = [name for name, _, _ in events]
    assert names.count("done") == 1 and names[-1] == "done"
    assert names.count("prompt") == 1
    assert names.index("prompt") < names.index("tokens")

    run = api.get("told").json
    told = [token for name, data, _ in events if name == "tokens" for token in data["tokens"]]
    assert [token["token"] for token in told] == run["output"]["token_ids"]
    starts = [data["start"] for name, data, _ in events if name == "tokens"]
    assert starts == sorted(set(starts))
    assert events[-1][1]["run_summary"] == run["run_summary"]


def test_a_finished_run_is_told_at_once(api: Api) -> None:
    made = api.made()
    names = [name for name, _, _ in _events(api.get(f"{made}/events"))]
    assert names == ["prompt", "tokens", "progress", "done"]


def test_a_follower_that_returns_continues_where_it_was(api: Api) -> None:
    made = api.made(max_tokens=6)
    again = api.send("GET", f"{made}/events", headers={"Last-Event-ID": "4"})
    events = _events(again)
    written = api.get(made).json["output"]["token_ids"]
    told = [
        token["token"] for name, data, _ in events if name == "tokens" for token in data["tokens"]
    ]
    assert told == written[4:]
    assert "prompt" not in [name for name, _, _ in events]


def test_a_cancelled_run_ends_the_stream(api: Api) -> None:
    with api.engine_held():
        api.run(headers={"Prefer": "respond-async"}, request_id="stopped")
        with api.client.application.test_client() as other:
            Api(other).send("POST", "stopped/cancel")
        events = _events(api.get("stopped/events"))
    assert events[-1][0] == "done"
    assert events[-1][1]["status"] == "cancelled"


def test_places_for_followers_are_bounded_and_given_back(api: Api) -> None:
    made = api.made(max_tokens=1)
    open_streams = [
        api.client.application.test_client().get(
            f"/api/v1/playground/activations/{made}/events", buffered=False
        )
        for _ in range(LONG_REQUESTS)
    ]
    refused = api.get(f"{made}/events")
    assert_is_error(refused, 429)
    assert refused.headers["Retry-After"]
    for stream in open_streams:
        stream.close()
    for _ in range(LONG_REQUESTS + 1):
        for method in ("GET", "HEAD"):
            with api.send(method, f"{made}/events") as answer:
                assert answer.status_code == 200


def test_no_events_of_a_run_that_is_not_there(api: Api) -> None:
    assert_is_error(api.get("nobody/events"), 404)
