"""The log of a job: its last lines, in a table of their own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from db.job_records import LogLine
from db.models import JobLogRow, table

KEPT_LINES = 500
"""Older lines of a job are forgotten."""

LINE_CHARS = 2000

_LOG = table(JobLogRow)


def append(session: Session, job_id: str, lines: Sequence[LogLine]) -> None:
    """Add `lines`; the caller has changed the job's row, so that nobody else numbers lines now."""
    lines = lines[-KEPT_LINES:]
    if not lines:
        return
    last = select(func.coalesce(func.max(_LOG.c.line_no), 0)).where(_LOG.c.job_id == job_id)
    before = session.execute(last).scalar_one()
    session.execute(insert(_LOG), [_values(job_id, before + i, x) for i, x in enumerate(lines, 1)])
    forgotten = _LOG.c.line_no <= before + len(lines) - KEPT_LINES
    session.execute(delete(_LOG).where(_LOG.c.job_id == job_id, forgotten))


def _values(job_id: str, line_no: int, line: LogLine) -> dict[str, object]:
    return {
        "job_id": job_id,
        "line_no": line_no,
        "at": line.at,
        "attempt": line.attempt,
        "level": line.level,
        "message": line.message[:LINE_CHARS],
    }


def read(session: Session, job_id: str) -> list[LogLine]:
    """The lines that are kept, oldest first."""
    statement = select(_LOG).where(_LOG.c.job_id == job_id).order_by(_LOG.c.line_no)
    return [
        LogLine(row.message, row.level, row.at, row.line_no, row.attempt)
        for row in session.execute(statement)
    ]
