"""Throw-away databases of both kinds, and what they weigh."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Engine, text

from benchmarks.result import Skipped
from db.engine import make_engine
from tests.databases import PostgresServer, postgres_binaries

NewDatabase = Callable[[], str]  # the URL of an empty database

KINDS = ("SQLite", "PostgreSQL")

_SIZES = {
    "sqlite": "SELECT (SELECT page_size FROM pragma_page_size) * ((SELECT page_count FROM "
    "pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count))",
    "postgresql": "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
    "WHERE relkind = 'r' AND relname LIKE 'activation%'",
}


@contextmanager
def databases(kind: str) -> Iterator[NewDatabase]:
    """A maker of empty databases of the kind; all of them are removed at the end.

    Raises:
        Skipped: this machine has no PostgreSQL.
    """
    if kind == "SQLite":
        with tempfile.TemporaryDirectory() as folder:
            names = iter(range(1000))
            yield lambda: f"sqlite:///{folder}/{next(names)}.sqlite"
        return
    binaries = postgres_binaries()
    if binaries is None:
        raise Skipped("PostgreSQL's initdb, pg_ctl and postgres are not on this machine")
    with closing(PostgresServer(binaries)) as server:
        yield server.create_database


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """The database's engine, let go of at the end."""
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def vacuum(engine: Engine) -> None:
    """What autovacuum does on PostgreSQL sooner or later; SQLite needs nothing of the kind."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def stored_bytes(engine: Engine) -> int:
    """Bytes of all tables with their indexes; pages that are free for reuse do not count."""
    with engine.connect() as connection:
        found: Any = connection.scalar(text(_SIZES[engine.dialect.name]))
    return int(found)
