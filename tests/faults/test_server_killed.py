"""A killed server loses at most a second of a run, and a stopped one nothing."""

from __future__ import annotations

import time

import pytest

from tests.made_models import make_endless
from tests.servers import Server

RUNS = "/api/v1/playground/activations"


@pytest.fixture
def body(tmp_path) -> dict[str, object]:
    return make_endless(tmp_path / "home")


@pytest.fixture
def server(tmp_path, database_url, body):
    with Server(tmp_path / "home", ACTISCOPE_DATABASE_URL=database_url) as running:
        yield running


def test_a_run_cut_by_kill_is_interrupted_with_its_text_and_can_run_again(server, body):
    request_id = server.start_long_run(body)
    server.kill()
    server.start()

    run = server.get(f"{RUNS}/{request_id}")
    assert run["status"] == "interrupted"
    assert 40 <= len(run["output"]["token_ids"]) < 400
    assert run["output"]["text"].strip()
    assert run["provenance"]["seed"] == 1 and run["provenance"]["model"]["revision"]
    listed = server.get(f"{RUNS}/runs")["items"]
    assert [(r["request_id"], r["status"]) for r in listed] == [(request_id, "interrupted")]

    status, again = server.call("POST", f"{RUNS}/{request_id}/rerun")
    assert status in (200, 202)
    kept = run["output"]["token_ids"]
    finished = wait_final(server, again["request_id"])
    assert finished["status"] == "ok"
    assert finished["output"]["token_ids"][: len(kept)] == kept  # the same seed, the same text


@pytest.mark.thorough
def test_a_stopped_server_keeps_what_was_written(server, body):
    request_id = server.start_long_run(body)
    assert server.stop() == 0
    server.start()
    run = server.get(f"{RUNS}/{request_id}")
    assert run["status"] == "interrupted"
    assert len(run["output"]["token_ids"]) >= 40
    assert run["features"][0]["feature_timeline"]


def wait_final(server: Server, request_id: str) -> dict:
    """The run, once nothing more will happen to it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        run = server.get(f"{RUNS}/{request_id}")
        if run["status"] not in ("queued", "running"):
            return run
        time.sleep(0.05)
    raise TimeoutError(request_id)
