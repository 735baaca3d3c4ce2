"""Between the records of jobs and the values that pages, REST and the command line see."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from db.job_records import JobRecord, LogLine
from services.types import JobLogLine, JobPhase, JobStatus, JobView

_SAME = tuple({f.name for f in fields(JobView)} & {f.name for f in fields(JobRecord)} - {"status"})


def view_of(record: JobRecord) -> JobView:
    """The job as others see it."""
    status, progress = JobStatus(record.status), record.progress
    running = status is JobStatus.RUNNING
    per_s = progress.progress_per_s if running else None
    same: dict[str, Any] = {name: getattr(record, name) for name in _SAME}
    return JobView(
        **same,
        status=status,
        phase=progress.phase,
        done=progress.progress_done,
        total=progress.progress_total,
        unit=progress.progress_unit,
        message=progress.progress_message,
        per_s=per_s,
        eta_s=_eta(progress.progress_done, progress.progress_total, per_s),
        phases=tuple(JobPhase(**phase) for phase in progress.phases),
        is_resumable=record.checkpoint is not None,
        is_cancelling=running and record.cancel_requested_at is not None,
    )


def _eta(done: int, total: int | None, per_s: float | None) -> float | None:
    if total is None or not per_s:
        return None
    return max(total - done, 0) / per_s


def line_of(line: LogLine) -> JobLogLine:
    """A line of the log as others see it."""
    assert line.at is not None
    return JobLogLine(line.line_no, line.at, line.attempt, line.level, line.message)


def job_document(view: JobView) -> dict[str, Any]:
    """A job as JSON values."""
    return _dated(asdict(view))


def line_document(line: JobLogLine) -> dict[str, Any]:
    """A line of a job's log as JSON values."""
    return _dated(asdict(line))


def _dated(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }
