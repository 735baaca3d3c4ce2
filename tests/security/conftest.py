"""The whole application, as it is served, with and without a token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dash import Dash
from flask import Flask

from services.settings import Settings
from services.web.state import state_of

TOKEN = "correct horse battery staple"


def _app(home: Path, **settings: Any) -> Iterator[Dash]:
    from app import create_app

    app = create_app(Settings(home=home, preload=False, _env_file=None, **settings))
    yield app
    state_of(app.server).container.close()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """Open to everybody on this machine."""
    yield from _app(tmp_path_factory.mktemp("open"))


@pytest.fixture(scope="module")
def server(app: Dash) -> Flask:
    return app.server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Behind a token."""
    for made in _app(tmp_path_factory.mktemp("guarded"), auth_token=TOKEN):
        yield made.server


def addresses(server: Flask) -> list[tuple[str, str]]:
    """Every method and address that the server routes, arguments filled in."""
    found = []
    for rule in server.url_map.iter_rules():
        values = dict.fromkeys(rule.arguments, "1")  # also an integer
        path = rule.build(values, append_unknown=False)
        assert path is not None, rule
        found += [(method, path[1]) for method in sorted(rule.methods or ())]
    return found


def is_error(answer: Any) -> bool:
    """Whether the answer has the one error shape."""
    body = answer.get_json(silent=True)
    return isinstance(body, dict) and set(body) == {"status", "error_code", "message", "details"}
