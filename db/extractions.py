"""The repository of extractions: every statement about them, within a session of
`db.unit_of_work`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from operator import itemgetter
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    case,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db import job_pages
from db.columns import UtcDateTime
from db.extraction_records import ExtractionFilter, ExtractionRecord, NewExtraction
from db.job_records import JOB_ACTIVE, JobRecord
from db.models import CorpusRow, ExtractionRow, JobRow, table
from db.records import Cursor

_ROWS, _JOBS, _CORPORA = table(ExtractionRow), table(JobRow), table(CorpusRow)
_ORDER = (_ROWS.c.created_at, _ROWS.c.extraction_id)
_BY_ITSELF = ("succeeded", "failed")  # ended before its job, which goes on with the others
_status: ColumnElement[str] = case(
    (_ROWS.c.status.in_(_BY_ITSELF), _ROWS.c.status),
    else_=func.coalesce(_JOBS.c.status, _ROWS.c.status),
)

Source = Literal["sae_id", "model_id", "corpus_id"]
_COLUMNS = {
    "sae_id": _ROWS.c.external_sae_id,
    "model_id": _ROWS.c.model_id,
    "corpus_id": _ROWS.c.corpus_id,
    "job_id": _ROWS.c.job_id,
}


class ExtractionRepository:
    """Reads and writes extractions."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_postgres = session.get_bind().dialect.name == "postgresql"

    def insert(self, extractions: Sequence[NewExtraction]) -> None:
        """Keep new ones, queued; those that have a row stay as they are."""
        if not extractions:
            return
        statement: Any = (postgresql if self._is_postgres else sqlite).insert(_ROWS)
        rows = sorted(map(_values, extractions), key=itemgetter("extraction_id"))
        self._session.execute(statement.on_conflict_do_nothing(), rows)

    def keep(self, extraction_id: str, live: Mapping[str, Any]) -> None:
        """What it has reached."""
        self._set(extraction_id, live=dict(live))

    def complete(
        self, extraction_id: str, live: Mapping[str, Any], size_bytes: int, at: datetime
    ) -> None:
        """Its store is complete: it has succeeded, whatever becomes of the job."""
        values = {"status": "succeeded", "is_complete": True, "size_bytes": size_bytes}
        self._set(extraction_id, live=dict(live), finished_at=at, **values)

    def fail(self, extraction_id: str, code: str, message: str, at: datetime) -> None:
        """It ended with this reason, whatever becomes of the others of its job."""
        values = {"status": "failed", "error_code": code, "error_message": message}
        self._set(extraction_id, finished_at=at, **values)

    def reopen(self, job_id: str) -> None:
        """Its job is worked on again: what had failed may yet succeed."""
        theirs = (_ROWS.c.job_id == job_id) & (_ROWS.c.status == "failed")
        nothing = dict.fromkeys(("error_code", "error_message", "finished_at"))
        statement = update(_ROWS).where(theirs).values(status="queued", **nothing)
        self._session.execute(statement)

    def configure(self, extraction_id: str, config: Mapping[str, Any]) -> None:
        """The options, as they were resolved."""
        self._set(extraction_id, config=dict(config))

    def forget(self, extraction_id: str) -> None:
        """Remove the row."""
        self._session.execute(delete(_ROWS).where(_ROWS.c.extraction_id == extraction_id))

    # Reading

    def get(self, extraction_id: str) -> ExtractionRecord | None:
        """The extraction, or None."""
        found = self._read(_select().where(_ROWS.c.extraction_id == extraction_id))
        return next(iter(found), None)

    def page(
        self, limit: int, cursor: Cursor | None, filters: ExtractionFilter
    ) -> list[ExtractionRecord]:
        """At most `limit` extractions that pass `filters`, after `cursor`, newest first."""
        statement = _select().where(*_conditions(filters))
        if cursor is not None:
            created_at, id = cursor
            place = tuple_(literal(created_at, UtcDateTime()), literal(id, _ORDER[1].type))
            statement = statement.where(tuple_(*_ORDER) < place)
        newest_first = [column.desc() for column in _ORDER]
        return self._read(statement.order_by(*newest_first).limit(limit))

    def ids(self, source: Source, id: str) -> list[str]:
        """Ids of the extractions with it, oldest first."""
        statement = select(_ROWS.c.extraction_id).where(_COLUMNS[source] == id)
        return list(self._session.scalars(statement.order_by(*_ORDER)))

    def active(self, source: Source, id: str) -> list[str]:
        """Ids of those with it that wait or are under way, oldest first."""
        statement = select(_ROWS.c.extraction_id).where(_COLUMNS[source] == id)
        statement = statement.outerjoin(_JOBS, _JOBS.c.job_id == _ROWS.c.job_id)
        under_way = statement.where(_status.in_(JOB_ACTIVE)).order_by(*_ORDER)
        return list(self._session.scalars(under_way))

    def _set(self, extraction_id: str, **values: Any) -> None:
        mine = _ROWS.c.extraction_id == extraction_id
        self._session.execute(update(_ROWS).where(mine).values(**values))

    def _read(self, statement: Select[*tuple[Any, ...]]) -> list[ExtractionRecord]:
        rows = self._session.execute(statement).all()
        job_ids = {row.job_id for row in rows if row.job_id}
        jobs = {job.job_id: job for job in job_pages.some(self._session, job_ids)}
        return [_record(row, jobs.get(row.job_id)) for row in rows]


def settle(session: Session, jobs: ColumnElement[bool]) -> None:
    """Write down how the extractions of these final jobs ended: the jobs are about to go."""
    names = ("status", "error_code", "error_message", "started_at", "finished_at")
    for job in session.execute(select(_JOBS.c.job_id, *(_JOBS.c[n] for n in names)).where(jobs)):
        ending = {name: getattr(job, name) for name in names}
        theirs = (_ROWS.c.job_id == job.job_id) & _ROWS.c.status.not_in(_BY_ITSELF)
        session.execute(update(_ROWS).where(theirs).values(**ending))


def _select() -> Select[*tuple[Any, ...]]:
    statement = select(_ROWS, _CORPORA.c.name.label("corpus_name"))
    statement = statement.join(_CORPORA, _CORPORA.c.corpus_id == _ROWS.c.corpus_id)
    return statement.outerjoin(_JOBS, _JOBS.c.job_id == _ROWS.c.job_id)


def _conditions(filters: ExtractionFilter) -> Iterator[ColumnElement[bool]]:
    if filters.status is not None:
        yield _status == filters.status
    for name, column in _COLUMNS.items():
        if (value := getattr(filters, name)) is not None:
            yield column == value


def _values(extraction: NewExtraction) -> dict[str, Any]:
    values = asdict(extraction)
    values["external_sae_id"] = values.pop("sae_id")
    return values | {"status": "queued", "is_complete": False, "live": {}}


def _record(row: Row[*tuple[Any, ...]], job: JobRecord | None) -> ExtractionRecord:
    values = dict(row._mapping)
    values["sae_id"] = values.pop("external_sae_id")
    if job is not None and values["status"] not in _BY_ITSELF:
        values |= {"status": job.status, "finished_at": job.finished_at}
        values |= {"error_code": job.error_code, "error_message": job.error_message}
    if job is not None:
        values["started_at"] = job.started_at
    return ExtractionRecord(**values, job=job)
