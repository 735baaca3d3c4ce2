"""The tables of jobs: one row per job, and the last lines of each job's log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.columns import SafeText
from db.job_records import JOB_STATUSES, LOG_LEVELS


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(map(repr, values))})", name=column)


def _recent(*columns: str) -> Index:
    return Index("_".join(("ix_jobs", *columns, "recent")), *columns, "created_at", "job_id")


class JobRow(Base):
    """A job, whatever its kind; `attempt` grows with every claim and is never taken back."""

    __tablename__ = "jobs"
    __table_args__ = (
        _one_of("status", JOB_STATUSES),
        CheckConstraint("attempt >= 0 AND crashes >= 0 AND max_attempts >= 1", name="attempts"),
        Index("ix_jobs_waiting", "status", "priority", "job_id"),
        Index(None, "parent_id"),
        _recent(),
        _recent("status"),
        _recent("kind"),
    )

    job_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    kind: Mapped[str] = mapped_column(SafeText(exact=True))
    title: Mapped[str]
    status: Mapped[str]
    priority: Mapped[int]
    request_key: Mapped[str | None] = mapped_column(SafeText(exact=True), unique=True)
    fingerprint: Mapped[str]
    parent_id: Mapped[str | None] = mapped_column(
        SafeText(exact=True), ForeignKey("jobs.job_id", ondelete="SET NULL")
    )
    owner: Mapped[str | None]
    attempt: Mapped[int]
    crashes: Mapped[int]
    max_attempts: Mapped[int]
    lease_until: Mapped[datetime | None]
    phase: Mapped[str]
    progress_done: Mapped[int]
    progress_total: Mapped[int | None]
    progress_unit: Mapped[str]
    progress_message: Mapped[str]
    progress_per_s: Mapped[float | None] = mapped_column(Double())
    cancel_requested_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    params_version: Mapped[int]
    params: Mapped[dict[str, Any]]
    phases: Mapped[list[Any]]
    checkpoint: Mapped[dict[str, Any] | None]
    result: Mapped[dict[str, Any] | None]


class JobLogRow(Base):
    """One line of a job's log."""

    __tablename__ = "job_log"
    __table_args__ = (_one_of("level", LOG_LEVELS), {"sqlite_with_rowid": False})

    job_id: Mapped[str] = mapped_column(
        SafeText(exact=True), ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True
    )
    line_no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    attempt: Mapped[int]
    level: Mapped[str]
    message: Mapped[str]
