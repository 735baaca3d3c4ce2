"""The repository of corpora."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.corpus_records import CorpusRecord
from db.models import CorpusRow, ExtractionRow, table

_CORPORA = table(CorpusRow)
_used = table(ExtractionRow).c.corpus_id
_KEPT = ("corpus_id", "created_at", "deleted_at")  # what a row knows and a folder does not
_NAMES = tuple(field.name for field in fields(CorpusRecord))


class CorpusRepository:
    """Every statement about corpora, within a session of `db.unit_of_work`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_postgres = session.get_bind().dialect.name == "postgresql"

    def keep(self, records: Sequence[CorpusRecord]) -> None:
        """Insert the rows, or update those that are there; when they came and whether they were
        deleted stays as it is.
        """
        if not records:
            return
        statement: Any = (postgresql if self._is_postgres else sqlite).insert(_CORPORA)
        fresh = {c.name: c for c in statement.excluded if c.name not in _KEPT}
        statement = statement.on_conflict_do_update(index_elements=["corpus_id"], set_=fresh)
        # In one order everywhere: two that lock the same rows crosswise would stop each other.
        self._session.execute(statement, sorted(map(asdict, records), key=itemgetter("corpus_id")))

    def all(self) -> dict[str, CorpusRecord]:
        """All corpora, by id."""
        return {record.corpus_id: record for record in self._read(true())}

    def get(self, corpus_id: str) -> CorpusRecord | None:
        """The corpus, or None."""
        return next(iter(self._read(_CORPORA.c.corpus_id == corpus_id)), None)

    def set_deleted(self, corpus_id: str, at: datetime | None) -> bool:
        """Mark or unmark; False when there is no such row."""
        statement = update(_CORPORA).where(_CORPORA.c.corpus_id == corpus_id).values(deleted_at=at)
        return bool(self._session.execute(statement).rowcount)  # type: ignore[attr-defined]

    def forget(self, corpus_id: str) -> bool:
        """Remove the row; False, and nothing is removed, when extractions were made of it."""
        # Locked where rows can be: no extraction begins between the two statements.
        row = select(_CORPORA.c.corpus_id).where(_CORPORA.c.corpus_id == corpus_id)
        self._session.execute(row.with_for_update())
        if self._session.scalar(select(_used).where(_used == corpus_id).limit(1)) is not None:
            return False
        self._session.execute(delete(_CORPORA).where(_CORPORA.c.corpus_id == corpus_id))
        return True

    def usage(self) -> dict[str, int]:
        """Extractions by corpus; 0 is left out."""
        counts = select(_used, func.count()).group_by(_used)
        return dict(self._session.execute(counts).tuples().all())

    def _read(self, where: ColumnElement[bool]) -> list[CorpusRecord]:
        order = (_CORPORA.c.created_at, _CORPORA.c.corpus_id)
        rows = self._session.execute(select(_CORPORA).where(where).order_by(*order)).mappings()
        return [CorpusRecord(**{name: row[name] for name in _NAMES}) for row in rows]
