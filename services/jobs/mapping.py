"""Between the records of jobs and the values that pages, REST and the command line see."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from db.job_records import JobRecord, LogLine
from services.types import JobLogLine, JobPhase, JobStatus, JobView


def view_of(record: JobRecord) -> JobView:
    """The job as others see it."""
    status, progress = JobStatus(record.status), record.progress
    running = status is JobStatus.RUNNING
    per_s = progress.progress_per_s if running else None
    return JobView(
        job_id=record.job_id,
        kind=record.kind,
        title=record.title,
        status=status,
        params=record.params,
        priority=record.priority,
        request_key=record.request_key,
        parent_id=record.parent_id,
        attempt=record.attempt,
        crashes=record.crashes,
        max_attempts=record.max_attempts,
        phase=progress.phase,
        done=progress.progress_done,
        total=progress.progress_total,
        unit=progress.progress_unit,
        message=progress.progress_message,
        per_s=per_s,
        eta_s=_eta(progress.progress_done, progress.progress_total, per_s),
        phases=tuple(JobPhase(**phase) for phase in progress.phases),
        result=record.result,
        is_resumable=record.checkpoint is not None,
        is_cancelling=running and record.cancel_requested_at is not None,
        owner=record.owner,
        error_code=record.error_code,
        error_message=record.error_message,
        created_at=record.created_at,
        updated_at=record.updated_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
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
