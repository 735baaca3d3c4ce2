"""The schema's revision: where the database stands, and bringing it to where this version is.

Alembic is imported only when there is something to do: `HEAD` is known without it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, inspect, text

from db.engine import existing_engine
from db.errors import SchemaMismatch
from db.unit_of_work import translated_errors

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0005"  # the newest file of db/migrations/versions; a test compares

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x41637469  # "Acti": any number that is ours
_LOCK_WAIT_S = 60  # another process may be in the middle of a migration


def head() -> str:
    """The revision that this version of the product works with."""
    return HEAD


def current(engine: Engine) -> str | None:
    """The database's revision; None when it holds no tables of ours.

    Raises:
        DatabaseUnavailable: it cannot be asked.
    """
    with translated_errors(), engine.connect() as connection:
        return _revision(connection)


def peek(url: str) -> str | None:
    """The revision of the database at `url`, as `current`, which is not changed or made.

    Raises:
        DatabaseUnavailable: it cannot be asked.
        SchemaMismatch: a newer version of the product wrote it.
    """
    engine = existing_engine(url)
    if engine is None:
        return None
    try:
        revision = current(engine)
    finally:
        engine.dispose()
    if revision is not None and revision != HEAD:
        _require_known(_config(), revision)
    return revision


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def ensure_current(engine: Engine) -> None:
    """Bring the database to `head()`; one SELECT when it is there.

    Raises:
        SchemaMismatch: a newer version of the product wrote it.
        DatabaseUnavailable, DatabaseFull: see db.errors; the database is as it was.
    """
    if current(engine) != HEAD:
        upgrade(engine)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Migrate up to `revision`. Processes that start together do it once.

    A SQLite database with data is first copied to a file beside it.

    Raises:
        SchemaMismatch, DatabaseUnavailable, DatabaseFull: the database is as it was.
    """

    def work(connection: Connection, config: Config) -> None:
        from alembic import command

        found = _revision(connection)
        if found is not None and found != HEAD:
            _require_known(config, found)
            back_up(engine, found)
        command.upgrade(config, revision)

    _migrate(engine, work)


def downgrade(engine: Engine, revision: str) -> None:
    """Migrate down to `revision`; "base" removes all tables.

    A SQLite database with data is first copied to a file beside it.

    Raises:
        SchemaMismatch, DatabaseUnavailable, DatabaseFull: the database is as it was.
    """

    def work(connection: Connection, config: Config) -> None:
        from alembic import command

        found = _revision(connection)
        if found is not None:
            _require_known(config, found)
            back_up(engine, found)
        command.downgrade(config, revision)

    _migrate(engine, work)


def _migrate(engine: Engine, work: Callable[[Connection, Config], None]) -> None:
    with translated_errors(), migration_transaction(engine) as connection:
        work(connection, _config(connection=connection))


def _config(**attributes: Any) -> Config:
    from alembic.config import Config

    config = Config(attributes=attributes)
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


@contextmanager
def migration_transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction for the whole migration, behind a lock that every process asks for."""
    with engine.execution_options(writes=True).connect() as connection:
        if engine.dialect.name == "sqlite":
            with _without_foreign_keys(connection), connection.begin():
                yield connection
        else:
            with connection.begin():
                connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT_S}s'"))
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
                yield connection


@contextmanager
def _without_foreign_keys(connection: Connection) -> Iterator[None]:
    """With foreign keys on, rebuilding a table would delete what refers to it.

    The setting cannot be changed within a transaction, so the connection is set up before it, and
    thrown away after.
    """
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("PRAGMA foreign_keys = OFF").close()
    driver.execute(f"PRAGMA busy_timeout = {_LOCK_WAIT_S * 1000}").close()
    try:
        yield
    finally:
        connection.invalidate()


def _require_known(config: Config, revision: str) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision not in known:
        raise SchemaMismatch(
            f"the database has schema revision {revision}, which this version (revision {HEAD}) "
            "does not know: a newer version wrote it; start that one, or restore a backup"
        )


def back_up(engine: Engine, revision: str) -> Path | None:
    """Copy a SQLite database to a file beside it, named by its revision and the time.

    None on PostgreSQL, whose backups are its administrator's.
    """
    if engine.dialect.name != "sqlite":
        return None
    source = Path(str(engine.url.database))
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    target = source.with_name(f"{source.name}.{revision}-{at}.backup")
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)
    return target
