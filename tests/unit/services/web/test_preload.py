"""The default model is loaded ahead once a page stands, and never at the cost of an answer."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response

from services.container import Container
from services.settings import Settings
from services.web.server import _preload_once_shown
from tests import tiny

CONTENT = "/_dash-update-component"


class _Counts:
    def __init__(self) -> None:
        self.calls = 0

    def preload(self) -> None:
        self.calls += 1


def _server(container: Any) -> Flask:
    server = Flask(__name__)
    _preload_once_shown(server, container)

    @server.post(CONTENT)
    def content() -> str:
        return "content"

    @server.post(f"/below{CONTENT}")
    def content_below() -> str:
        return "content"

    @server.post("/api/v1/something")
    def something() -> str:
        return "something"

    @server.get("/")
    def page() -> str:
        return "page"

    @server.post(f"/refused{CONTENT}")
    def refused() -> Response:
        return Response(status=204)

    return server


def test_only_a_pages_content_starts_it() -> None:
    container = _Counts()
    client = _server(container).test_client()
    client.post("/api/v1/something")
    client.get("/")
    client.post(f"/refused{CONTENT}")
    assert container.calls == 0
    client.post(f"/below{CONTENT}")
    client.post(CONTENT)
    assert container.calls == 1


def test_it_starts_once_however_many_ask_together() -> None:
    container = _Counts()
    server = _server(container)
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        server.test_client().post(CONTENT)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert container.calls == 1


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tiny.save_model(tmp_path, "tiny")
    (tmp_path / "models" / "tiny" / "config.json").write_text("{")
    return tmp_path


@pytest.mark.parametrize("model", ["none", "tiny"])
def test_a_model_that_cannot_be_loaded_ahead_costs_no_answer(
    home: Path, model: str, caplog: pytest.LogCaptureFixture
) -> None:
    container = Container(Settings(home=home, default_model=model, _env_file=None))
    try:
        assert _server(container).test_client().post(CONTENT).status_code == 200
    finally:
        container.close()
    assert "could not be loaded ahead" in caplog.text


def test_a_full_queue_costs_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    container = Container(Settings(home=tmp_path, queue_limit=1, _env_file=None))
    begun, released = threading.Event(), threading.Event()
    container.base.worker.submit(lambda: (begun.set(), released.wait()))
    try:
        begun.wait(10)
        container.base.worker.submit(lambda: None)
        assert _server(container).test_client().post(CONTENT).status_code == 200
    finally:
        released.set()
        container.close()
    assert "could not be loaded ahead" in caplog.text
