"""The database of this process: opened once, brought up to date, in the product's own errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from db.engine import make_engine
from db.errors import DatabaseFull, DatabaseUnavailable, SchemaMismatch
from db.schema import current, ensure_current
from db.unit_of_work import UnitOfWork
from services.errors import ResourceExhausted, Unavailable

Session = Any  # of SQLAlchemy, which only db names


def open_database(url: str) -> Database:
    """The database at `url`, its tables brought up to date.

    Raises:
        Unavailable: it cannot be reached, or was written by a newer version.
    """
    with _our_errors():
        engine = make_engine(url)
        ensure_current(engine)
    return Database(engine)


class Database:
    """Transactions for the stores.

    Raises:
        Unavailable: the database is away.
        ResourceExhausted: it has no space left.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._uow = UnitOfWork(engine)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that reads."""
        with _our_errors(), self._uow.read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that writes; nothing is kept when the block fails."""
        with _our_errors(), self._uow.write() as session:
            yield session

    def check(self) -> tuple[str, dict[str, Any]]:
        """For health: what database this is, and that it answers.

        Raises:
            Unavailable: it does not.
        """
        with _our_errors():
            revision = current(self._engine)
        url = self._engine.url.render_as_string(hide_password=True)
        return f"{self._engine.dialect.name} answers", {"url": url, "revision": revision}

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except (DatabaseUnavailable, SchemaMismatch, OSError) as error:
        raise Unavailable(str(error)) from error
    except DatabaseFull as error:
        raise ResourceExhausted(str(error)) from error
