"""Apps over a real container in a temporary data folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dash import Dash

from app import create_app
from pages.context import container_of
from services.settings import Settings
from tests.pages.dash_client import Client


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, preload=False, device="cpu", _env_file=None)


@pytest.fixture
def app(settings: Settings) -> Iterator[Dash]:
    made = create_app(settings)
    yield made
    container_of(made).close()


@pytest.fixture
def client(app: Dash) -> Client:
    return Client(app)


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One app for many tests that change nothing."""
    home = tmp_path_factory.mktemp("shared")
    made = create_app(Settings(home=home, preload=False, device="cpu", _env_file=None))
    yield Client(made)
    container_of(made).close()
