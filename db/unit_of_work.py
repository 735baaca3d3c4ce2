"""Transactions, and the drivers' errors as the product's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from db.errors import DatabaseFull, DatabaseUnavailable

# Classes of PostgreSQL's error codes.
_PG_DISK_FULL = "53100"
_PG_AWAY = (
    "08",  # connection
    "25006",  # read-only transaction: a standby
    "40",  # serialization failure, deadlock
    "53",  # too many connections, out of memory
    "55P03",  # lock timeout
    "57",  # shutdown, starting up, statement timeout
    "58",  # the server's own files
)
_SQLITE_AWAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
}


class UnitOfWork:
    """Opens transactions: `with uow.write() as session`. Nothing is kept when the block fails.

    Raises:
        DatabaseUnavailable, DatabaseFull: see db.errors.
        ValueError: a value that a column refuses.
    """

    def __init__(self, engine: Engine) -> None:
        is_postgres = engine.dialect.name == "postgresql"
        # One snapshot for all statements of a block, as SQLite gives without asking.
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reading = engine.execution_options(**(snapshot if is_postgres else {}))
        self._writing = engine.execution_options(writes=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that reads; writers are not held up by it."""
        with translated_errors(), Session(self._reading) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that writes, committed when the block ends without an error."""
        with translated_errors(), Session(self._writing) as session, session.begin():
            yield session


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raises the product's error in place of SQLAlchemy's or the driver's."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable("all connections to the database are in use") from error
    except (IntegrityError, DataError) as error:
        # Without its cause: PostgreSQL's message quotes the whole row, prompts included.
        raise ValueError(f"a value cannot be stored: {_first_line(error)}") from None
    except DBAPIError as error:
        raise _translated(error) from error
    except StatementError as error:
        if not isinstance(error.orig, (ValueError, TypeError, OverflowError)):
            raise
        raise ValueError(str(error.orig)) from error
    except (UnicodeEncodeError, OverflowError) as error:  # bare, from the drivers
        raise ValueError(f"a value cannot be stored: {error}") from error


def _translated(error: DBAPIError) -> Exception:
    """The product's error for the driver's; `error` itself when it is a fault of our own."""
    text = _first_line(error)
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # without the extended part
        full, away = code == sqlite3.SQLITE_FULL, code in _SQLITE_AWAY
    else:
        state = getattr(error.orig, "sqlstate", None) or ""
        no_answer = not state and isinstance(error, (OperationalError, InterfaceError))
        full = state == _PG_DISK_FULL
        away = error.connection_invalidated or no_answer or state.startswith(_PG_AWAY)
    if full:
        return DatabaseFull(f"no space is left for the database: {text}")
    if away:
        return DatabaseUnavailable(f"the database cannot be used now: {text}")
    return error


def _first_line(error: DBAPIError) -> str:
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
