"""The services on a fresh database of either kind, with the embedded demo model."""

from __future__ import annotations

import pytest

from services.container import Container
from services.settings import Settings


@pytest.fixture
def settings(tmp_path, database_url):
    return Settings(home=tmp_path / "home", database_url=database_url, preload=False)


@pytest.fixture
def container(settings):
    made = Container(settings)
    yield made
    made.close()
