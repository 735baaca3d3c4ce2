"""REST over the real services, on a fresh database of either kind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient

from services.container import Container
from services.web import install, make_server
from services.web.state import state_of

BASE = "/api/v1/playground/activations"


class Api:
    """The REST API as a client sees it: addresses below the playground's, JSON in and out."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def run(self, headers: dict[str, str] | None = None, **body: Any) -> Any:
        """POST run; greedy and short unless told otherwise."""
        asked = {"prompt": "The cat sat", "max_tokens": 6, "temperature": 0.0} | body
        return self.client.post(f"{BASE}/run", json=asked, headers=headers)

    def made(self, **body: Any) -> str:
        """The id of a finished run."""
        answer = self.run(**body)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json["request_id"]

    def get(self, path: str, **parameters: Any) -> Any:
        """GET below the playground."""
        return self.client.get(f"{BASE}/{path}", query_string=parameters)

    @contextmanager
    def engine_held(self) -> Iterator[None]:
        """The engine works on something else for the time of the block: runs wait."""
        released = threading.Event()
        state_of(self.client.application).container.base.worker.submit(released.wait)
        try:
            yield
        finally:
            released.set()

    def send(self, method: str, path: str, **options: Any) -> Any:
        """Any request below the playground."""
        return self.client.open(f"{BASE}/{path}", method=method, **options)


@contextmanager
def served(container: Container) -> Iterator[Api]:
    """The API over these services."""
    server = make_server(container.settings)
    install(server, container, list)
    with server.test_client() as client:
        yield Api(client)


@pytest.fixture
def api(container: Container) -> Iterator[Api]:
    with served(container) as made:
        yield made


def assert_is_error(answer: Any, *statuses: int) -> dict[str, Any]:
    """The answer has the one error shape, and one of the statuses; its body."""
    text = answer.get_data(as_text=True)
    assert answer.status_code in statuses, f"{answer.status_code}: {text[:500]}"
    assert answer.mimetype == "application/json"
    assert set(answer.json) == {"status", "error_code", "message", "details"}
    assert answer.json["status"] == "error"
    assert answer.json["message"]
    assert "Traceback" not in text
    return answer.json
