"""Engines for SQLite and PostgreSQL, with each setting's reason."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from db.columns import dumps

BUSY_TIMEOUT_MS = 5000  # how long a SQLite writer waits for another one

_SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA synchronous = NORMAL",  # with WAL a power cut may lose the last commits, never corrupts
    "PRAGMA foreign_keys = ON",  # off by default, per connection
    "PRAGMA cache_size = -32000",  # 32 MB: an index page is read once
)


def make_engine(url: str) -> Engine:
    """The engine of the database at `url`; connects on first use.

    For SQLite the file's folder is created.

    Raises:
        ValueError: see `check_url`.
    """
    parsed = check_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed)
    return create_engine(
        parsed,
        connect_args=_postgres_arguments(parsed),
        json_serializer=dumps,
        hide_parameters=True,  # prompts stay out of the log
        pool_pre_ping=True,  # after a restart of the server the first query must not fail
        pool_size=10,
        max_overflow=20,
        pool_timeout=10,
    )


def check_url(url: str) -> URL:
    """The parsed URL of a database that this product works with.

    Raises:
        ValueError: it is none; the message says what would be, without quoting passwords.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise ValueError(f"this is no database URL; {_GIVE}") from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        _require_file(parsed)
        return parsed
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ValueError(f"{parsed.drivername!r} databases are not supported; {_GIVE}")


_GIVE = "give sqlite:///path/to/file or postgresql+psycopg://user:password@host/name"


def _require_file(url: URL) -> None:
    if url.host:
        raise ValueError("write sqlite:/// with three slashes, and a fourth for an absolute path")
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ValueError("name a file: SQLite in memory is another database in every thread")


def existing_engine(url: str) -> Engine | None:
    """An engine that only looks; None for a SQLite file that does not exist.

    Unlike `make_engine` it makes no file or folder and leaves the journal mode as it is.
    """
    parsed = check_url(url)
    if parsed.get_backend_name() != "sqlite":
        return make_engine(url)
    file = Path(str(parsed.database)).absolute()
    if not file.exists():
        return None
    uri = f"{file.as_uri()}?mode=rw"  # never made; `ro` would leave files of the log behind
    return create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_MS / 1000),
        poolclass=NullPool,
    )


def _postgres_arguments(url: URL) -> dict[str, Any]:
    """Limits, so that no page waits for ever; what the URL names itself goes first."""
    arguments = {
        "application_name": "actiscope",
        "connect_timeout": 3,  # seconds; health must answer while the server is away
        "keepalives_idle": 30,
        "tcp_user_timeout": 15_000,  # ms; a host that vanished is noticed
        "options": "-c statement_timeout=30s -c lock_timeout=5s"
        " -c idle_in_transaction_session_timeout=60s",
    }
    return {name: value for name, value in arguments.items() if name not in url.query}


def _sqlite_engine(url: URL) -> Engine:
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        json_serializer=dumps,
        hide_parameters=True,
        pool_size=10,
        max_overflow=20,
        pool_timeout=10,
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction; `_begin_sqlite` does
    _switch_to_wal(connection)
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma).close()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Write-ahead log: readers go on while one writes. The file remembers it.

    SQLite does not wait for others here, whatever its busy timeout: processes that open a new
    file together would fail with "database is locked".
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    """A unit of work that writes takes the lock at its beginning and waits for it.

    A transaction that first reads and then writes cannot wait: SQLite answers it at once with
    "database is locked".
    """
    immediate = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
