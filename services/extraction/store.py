"""The table of extractions, in the house's own values and errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from db.extraction_records import ExtractionFilter, NewExtraction
from db.extractions import ExtractionRepository, Source
from db.records import Cursor, utc_now
from services.database import Database
from services.errors import ActiscopeError, Conflict, InvalidArgument, NotFound
from services.extraction.mapping import json_values, live_values, view_of
from services.extraction.requests import ID, ExtractionQuery
from services.jobs.queue import Write
from services.text import storable
from services.types import ExtractionLive, ExtractionPage, ExtractionView


class ExtractionStore:
    """Keeps what belongs to an extraction beside its store.

    Raises:
        Unavailable, ResourceExhausted: see services.database; from every method.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # For the worker, within the transaction that commits a chunk of the job

    @staticmethod
    def add(extractions: Sequence[NewExtraction]) -> Write:
        """Keeps new extractions; those that have a row stay as they are.

        It raises Conflict when an id belongs to another job's extraction.
        """
        return lambda session: _add(ExtractionRepository(session), extractions)

    @staticmethod
    def keep(extraction_id: str, live: ExtractionLive) -> Write:
        """Keeps what it has reached."""
        values = live_values(live)
        return lambda session: ExtractionRepository(session).keep(extraction_id, values)

    @staticmethod
    def configure(extraction_id: str, config: Mapping[str, Any]) -> Write:
        """Keeps the options, as they were resolved."""
        values = json_values(config)
        return lambda session: ExtractionRepository(session).configure(extraction_id, values)

    @staticmethod
    def complete(extraction_id: str, live: ExtractionLive, size_bytes: int) -> Write:
        """Keeps that its store is complete."""
        values, at = live_values(live), utc_now()
        return lambda session: ExtractionRepository(session).complete(
            extraction_id, values, size_bytes, at
        )

    @staticmethod
    def fail(extraction_id: str, error: ActiscopeError) -> Write:
        """Keeps why it ended while the others of its job go on."""
        code, message, at = error.code, storable(error.message), utc_now()
        return lambda session: ExtractionRepository(session).fail(extraction_id, code, message, at)

    # For everybody

    def reopen(self, job_id: str) -> None:
        """The job is worked on again: what had failed may yet succeed."""
        with self._write() as rows:
            rows.reopen(job_id)

    def ensure(self, extractions: Sequence[NewExtraction]) -> None:
        """See that each has its row.

        Raises:
            Conflict: the id belongs to another job's extraction.
        """
        with self._database.write() as session:
            self.add(extractions)(session)

    def get(self, extraction_id: str) -> ExtractionView:
        """The extraction.

        Raises:
            NotFound: there is none.
        """
        record = None
        if re.fullmatch(ID, extraction_id):
            with self._read() as rows:
                record = rows.get(extraction_id)
        if record is None:
            raise NotFound(
                f"there is no extraction {extraction_id[:200]!r}: `actiscope extractions list` "
                "shows what there is",
                extraction_id=extraction_id[:200],
            )
        return view_of(record)

    def exists(self, extraction_id: str) -> bool:
        """Whether there is such an extraction."""
        with self._read() as rows:
            return rows.get(extraction_id) is not None

    def page(self, query: ExtractionQuery) -> ExtractionPage:
        """One page of extractions, newest first."""
        values = query.model_dump(mode="json", exclude={"limit", "cursor"})
        with self._read() as rows:
            cursor = _parse_cursor(query.cursor)
            found = rows.page(query.limit + 1, cursor, ExtractionFilter(**values))
        items = tuple(map(view_of, found[: query.limit]))
        return ExtractionPage(items, _cursor_of(items[-1]) if len(found) > query.limit else None)

    def ids(self, source: Source, id: str) -> tuple[str, ...]:
        """Ids of the extractions with an SAE, a model or a corpus, oldest first."""
        with self._read() as rows:
            return tuple(rows.ids(source, id))

    def active(self, source: Source, id: str) -> tuple[str, ...]:
        """Ids of those that wait or are under way, oldest first."""
        with self._read() as rows:
            return tuple(rows.active(source, id))

    def forget(self, extraction_id: str) -> None:
        """Remove the row."""
        with self._write() as rows:
            rows.forget(extraction_id)

    @contextmanager
    def _read(self) -> Iterator[ExtractionRepository]:
        with self._database.read() as session:
            yield ExtractionRepository(session)

    @contextmanager
    def _write(self) -> Iterator[ExtractionRepository]:
        with self._database.write() as session:
            yield ExtractionRepository(session)


def _add(rows: ExtractionRepository, extractions: Sequence[NewExtraction]) -> None:
    rows.insert(extractions)
    for extraction in extractions:
        known = rows.get(extraction.extraction_id)
        if known is not None and known.job_id != extraction.job_id:
            raise Conflict(
                f"extraction {extraction.extraction_id} belongs to job {known.job_id}: start a "
                "new one, which gets an id of its own",
                extraction_id=extraction.extraction_id,
            )


def _cursor_of(view: ExtractionView) -> str:
    # `Z`, not `+00:00`: a plus that a client does not escape would arrive as a space.
    return f"{view.created_at.isoformat().replace('+00:00', 'Z')}|{view.extraction_id}"


def _parse_cursor(cursor: str | None) -> Cursor | None:
    if cursor is None:
        return None
    try:
        created_at, _, extraction_id = cursor.partition("|")
        moment = datetime.fromisoformat(created_at)
        if moment.tzinfo is None or not re.fullmatch(ID, extraction_id):
            raise ValueError
    except ValueError:
        raise InvalidArgument(
            "cursor is none of this server's: pass `next_cursor` of the page before unchanged"
        ) from None
    return moment, extraction_id
