"""Many rows at once: checked column by column, and given to the driver as they are.

SQLAlchemy looks at every value of every row by itself, which takes longer than the database does.
Here the same checks and conversions are made for a column as a whole: executemany on SQLite, COPY
on PostgreSQL, both within the session's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import Any

from sqlalchemy import JSON, Table, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.sql.type_api import TypeEngine

from db.columns import Int, SafeText, UtcDateTime, dumps, microseconds, require_storable

MANY = 500  # from so many rows on

Column = Sequence[Any]


def insert_rows(
    session: Session, target: Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows whose values are in the order of `names`.

    Raises:
        ValueError: a value that a column refuses.
    """
    if not rows:
        return
    if len(rows) < MANY:
        values = [dict(zip(names, row, strict=True)) for row in rows]
        session.execute(insert(target), values)
        return
    is_postgres = session.get_bind().dialect.name == "postgresql"
    columns = zip(*rows, strict=True)
    converted = [
        _converter(target.c[name].type, is_postgres)(column)
        for name, column in zip(names, columns, strict=True)
    ]
    with _as_of_sqlalchemy(session):
        (_copy if is_postgres else _execute_many)(session, target.name, names, converted)


def _copy(session: Session, target: str, names: Sequence[str], columns: list[Column]) -> None:
    driver: Any = session.connection().connection.driver_connection
    with driver.cursor().copy(f"COPY {target} ({_quoted(names)}) FROM STDIN") as copy:
        for row in zip(*columns, strict=True):
            copy.write_row(row)


def _execute_many(
    session: Session, target: str, names: Sequence[str], columns: list[Column]
) -> None:
    driver: Any = session.connection().connection.driver_connection
    marks = ", ".join(repeat("?", len(names)))
    statement = f"INSERT INTO {target} ({_quoted(names)}) VALUES ({marks})"  # noqa: S608
    driver.executemany(statement, zip(*columns, strict=True)).close()


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


@contextmanager
def _as_of_sqlalchemy(session: Session) -> Iterator[None]:
    """Raises the driver's errors as SQLAlchemy's, which `db.unit_of_work` knows."""
    dialect = session.get_bind().dialect
    errors: Any = dialect.loaded_dbapi.Error
    try:
        yield
    except errors as error:
        raise DBAPIError.instance(None, None, error, errors, dialect=dialect) from error


def _converter(kind: TypeEngine[Any], is_postgres: bool) -> Callable[[Column], Column]:
    if isinstance(kind, SafeText):
        return _texts
    if isinstance(kind, UtcDateTime):
        return _times if is_postgres else _microseconds
    if isinstance(kind, Int):
        return _ints
    if isinstance(kind, JSON):
        return _documents
    return _as_they_are


def _texts(column: Column) -> Column:
    try:
        require_storable("".join(filter(None, column)))
    except (TypeError, ValueError):
        for value in column:  # which one it is
            if value is not None:
                require_storable(value)
        raise
    return column


def _ints(column: Column) -> Column:
    check = Int()
    if not set(map(type, column)) <= {int, type(None)}:
        return [check.process_bind_param(value, None) for value in column]  # type: ignore[arg-type]
    return column


def _times(column: Column) -> Column:
    if any(value is not None and value.tzinfo is None for value in set(column)):
        raise ValueError("a time must be a datetime with its zone")
    return column


def _microseconds(column: Column) -> Column:
    known = {value: None if value is None else microseconds(value) for value in set(_times(column))}
    return [known[value] for value in column]


def _documents(column: Column) -> Column:
    return [None if value is None else dumps(value) for value in column]


def _as_they_are(column: Column) -> Column:
    return column
