"""A job's transition: one UPDATE that names what it expects, and its line in the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, update
from sqlalchemy.orm import Session

from db import job_log
from db.job_records import Hold, LogLine, ProgressRecord
from db.models import JobRow, table

JOBS = table(JobRow)

NOT_CANCELLED = JOBS.c.cancel_requested_at.is_(None)
NOBODY: dict[str, Any] = {"owner": None, "lease_until": None}


def held(hold: Hold) -> ColumnElement[bool]:
    """The job is still held by this worker, in this attempt."""
    return and_(
        JOBS.c.job_id == hold.job_id,
        JOBS.c.status == "running",
        JOBS.c.attempt == hold.attempt,
        JOBS.c.owner == hold.owner,
    )


def as_it_was(row: Row[*tuple[Any, ...]], status: str) -> ColumnElement[bool]:
    """The job has the state and the attempt that were read."""
    return and_(JOBS.c.job_id == row.job_id, JOBS.c.status == status, JOBS.c.attempt == row.attempt)


def move(
    session: Session,
    where: ColumnElement[bool],
    now: datetime,
    values: Mapping[str, Any],
    *lines: LogLine,
) -> bool:
    """Set `values` and add `lines` to the log; False when no job is as `where` says."""
    statement = update(JOBS).where(where).values(updated_at=now, **values)
    moved = session.execute(statement.returning(JOBS.c.job_id, JOBS.c.attempt)).one_or_none()
    if moved is None:
        return False
    dated = [replace(line, at=line.at or now, attempt=moved.attempt) for line in lines]
    job_log.append(session, moved.job_id, dated)
    return True


def progress_values(progress: ProgressRecord) -> dict[str, Any]:
    """The columns of `progress`."""
    return asdict(progress) | {"phases": [dict(phase) for phase in progress.phases]}
