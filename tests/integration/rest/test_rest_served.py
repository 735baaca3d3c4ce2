"""REST over the server that users run: streams flow, shutdown is clean."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.rest.conftest import BASE
from tests.servers import Server

_WRITTEN = 900


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture(scope="module")
def long(served: Server) -> dict[str, Any]:
    """A request whose run writes long, whatever the model of the demo likes to say."""
    for seed in range(100):
        body = {"prompt": "The cat", "chat_template": "off", "temperature": 2.0, "sae_ids": []}
        body |= {"max_tokens": _WRITTEN, "seed": seed}
        run = served.call("POST", f"{BASE}/run", body)[1]
        if run["run_summary"]["output_tokens"] == _WRITTEN:
            return body
    raise AssertionError("no seed makes the model write long")


def _start(server: Server, body: dict[str, Any]) -> str:
    status, run = server.call("POST", f"{BASE}/run", body, {"Prefer": "respond-async"})
    assert status == 202
    return run["request_id"]


def _events(server: Server, request_id: str) -> http.client.HTTPResponse:
    """The open stream; Busy is waited for, as it asks."""
    for _ in range(60):
        answer = _ask_for_events(server, request_id)
        if answer.status != 429:
            break
        time.sleep(0.5)
    assert answer.status == 200
    return answer


def _ask_for_events(server: Server, request_id: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", f"{BASE}/{request_id}/events")
    return connection.getresponse()


def _until(answer: http.client.HTTPResponse, event: str) -> dict:
    while line := answer.readline().decode():
        if line == f"event: {event}\n":
            return json.loads(answer.readline().decode().removeprefix("data: "))
    raise AssertionError(f"the stream ended before {event}")


def test_tokens_arrive_while_the_run_is_under_way(served: Server, long: dict) -> None:
    request_id = _start(served, long)
    answer = _events(served, request_id)
    first = _until(answer, "tokens")
    assert first["start"] == 0 and first["tokens"]
    assert served.get(f"{BASE}/{request_id}/summary")["status"] == "running"
    served.call("POST", f"{BASE}/{request_id}/cancel")
    assert _until(answer, "done")["status"] == "cancelled"
    assert answer.read().strip() == b""


def test_pages_are_served_while_many_follow_and_wait(served: Server, long: dict) -> None:
    request_id = _start(served, long)
    streams = [_events(served, request_id) for _ in range(12)]
    waiting = threading.Thread(
        target=served.call, args=("POST", f"{BASE}/run", {"prompt": "x", "max_tokens": 1})
    )
    waiting.start()
    for _ in range(30):
        assert served.get(f"{BASE}/runs")["items"]
    served.call("POST", f"{BASE}/{request_id}/cancel")
    for stream in streams:
        assert _until(stream, "done")["status"] == "cancelled"
    waiting.join(60)
    assert not waiting.is_alive()


def test_followers_that_leave_free_their_places(served: Server, long: dict) -> None:
    request_id = _start(served, long)
    for _ in range(40):
        answer = _events(served, request_id)
        _until(answer, "progress")
        answer.close()
    served.call("POST", f"{BASE}/{request_id}/cancel")
    assert _until(_events(served, request_id), "done")["status"] == "cancelled"


def test_a_body_past_the_limit_is_refused_in_the_one_shape(served: Server) -> None:
    status, body = served.call("POST", f"{BASE}/run", {"prompt": "x" * 3_000_000})
    assert status == 413 and body["error_code"] == "TOO_LARGE"


def test_a_request_without_a_host_is_refused(served: Server) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as raw:
        raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert raw.makefile("rb").readline().split()[1] == b"403"


def test_termination_ends_streams_keeps_the_text_and_exits_cleanly(
    tmp_path: Path, long: dict
) -> None:
    server = Server(tmp_path / "home").start()
    request_id = _start(server, long)
    answer = _events(server, request_id)
    _until(answer, "tokens")
    assert server.stop() == 0
    log = server.log.read_text()
    assert "Traceback" not in log, log[-2000:]
    assert f"listens on {server.url}" in log
    with server.start() as again:
        stored = again.get(f"{BASE}/{request_id}")
        assert stored["status"] in ("cancelled", "interrupted")
        assert stored["output"]["token_ids"]
