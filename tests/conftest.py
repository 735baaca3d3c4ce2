"""Fixtures for all tests: a real PostgreSQL, an empty database of either kind, a browser.

What the machine does not have is skipped with the reason; with CI=true its absence is a failure,
so that a green CI means that all of it ran.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.databases import PostgresServer, chromium, postgres_binaries

if "PYTEST_XDIST_WORKER" in os.environ:  # noqa: TID251
    # Threads of several test processes that wait for each other take many times as long.
    os.environ.update(ACTISCOPE_THREADS="1", OMP_NUM_THREADS="1")  # noqa: TID251


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """What a test printed or logged must be able to travel between the test processes."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def _absent(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":  # noqa: TID251  (not a setting of the product)
        pytest.fail(f"{what}: needed where CI=true")
    pytest.skip(what)


@pytest.fixture(scope="session")
def _postgres() -> Iterator[PostgresServer]:
    binaries = postgres_binaries()
    if binaries is None:
        _absent("PostgreSQL's initdb, pg_ctl and postgres are not on this machine")
    server = PostgresServer(binaries)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres_server(_postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The running server, to stop and start; it runs again for the next test."""
    _postgres.start()
    try:
        yield _postgres
    finally:
        _postgres.start()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a new, empty PostgreSQL database."""
    url = postgres_server.create_database()
    try:
        yield url
    finally:
        postgres_server.start()
        postgres_server.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'actiscope.sqlite'}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Any:
    """The URL of a new, empty database: each test runs on both kinds."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def module_database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a database of either kind for all tests of a module, which only read."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'actiscope.sqlite'}"
        return
    server = request.getfixturevalue("_postgres")
    server.start()
    url = server.create_database()
    yield url
    server.start()
    server.drop_database(url)


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The machine's Chromium."""
    path = chromium()
    if path is None:
        _absent("no Chromium on this machine")
    return path
