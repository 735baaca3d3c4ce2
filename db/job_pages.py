"""Reading jobs: one, or a page of them, found from a place in an index (keyset)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Row, literal, select, tuple_
from sqlalchemy.orm import Session

from db.columns import UtcDateTime
from db.job_records import JobFilter, JobRecord, ProgressRecord
from db.models import JobRow, table
from db.records import Cursor

_JOBS = table(JobRow)
_PROGRESS = tuple(field.name for field in fields(ProgressRecord))


def one(session: Session, where: ColumnElement[bool]) -> JobRecord | None:
    """The job that `where` names, or None."""
    row = session.execute(select(_JOBS).where(where)).one_or_none()
    return None if row is None else _record(row)


def some(session: Session, job_ids: Collection[str]) -> list[JobRecord]:
    """Those of these jobs that there are, in no order."""
    if not job_ids:
        return []
    return [
        _record(row) for row in session.execute(select(_JOBS).where(_JOBS.c.job_id.in_(job_ids)))
    ]


def page(
    session: Session, limit: int, cursor: Cursor | None, filters: JobFilter
) -> list[JobRecord]:
    """At most `limit` jobs that pass `filters`, after `cursor`, newest first."""
    order = (_JOBS.c.created_at, _JOBS.c.job_id)
    statement = select(_JOBS).where(*_conditions(filters))
    if cursor is not None:
        created_at, job_id = cursor
        place = tuple_(literal(created_at, UtcDateTime()), literal(job_id, _JOBS.c.job_id.type))
        statement = statement.where(tuple_(*order) < place)
    newest_first = [column.desc() for column in order]
    return [_record(row) for row in session.execute(statement.order_by(*newest_first).limit(limit))]


def _conditions(filters: JobFilter) -> Iterator[ColumnElement[bool]]:
    for name in ("status", "kind", "parent_id"):
        value = getattr(filters, name)
        if value is not None:
            yield _JOBS.c[name] == value


def _record(row: Row[*tuple[Any, ...]]) -> JobRecord:
    values = dict(row._mapping)
    progress = {name: values.pop(name) for name in _PROGRESS}
    return JobRecord(**values, progress=ProgressRecord(**progress))
