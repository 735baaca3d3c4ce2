"""A migrated, empty database of either kind, and transactions on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from db import schema
from db.engine import make_engine
from db.unit_of_work import UnitOfWork
from tests.databases import PostgresServer
from tests.integration.db.samples import Runs


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres_url: str, postgres_server: PostgresServer) -> Iterator[Engine]:
    engine = make_engine(postgres_url)
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def uow(engine: Engine) -> UnitOfWork:
    return UnitOfWork(engine)


@pytest.fixture
def runs(uow: UnitOfWork) -> Runs:
    """The repository with one transaction per call."""
    return Runs(uow)
