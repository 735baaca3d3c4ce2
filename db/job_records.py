"""The plain values of jobs that the repository takes and gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

JOB_ACTIVE = ("queued", "running")
JOB_FINAL = ("succeeded", "failed", "cancelled")
JOB_STATUSES = (*JOB_ACTIVE, *JOB_FINAL)
LOG_LEVELS = ("info", "warning", "error")

CRASHED = "CRASHED"
"""The `error_code` of a job whose worker ended too often without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job as it is submitted; it is queued."""

    job_id: str
    kind: str
    title: str
    params: Mapping[str, Any]
    params_version: int
    fingerprint: str  # of all that was asked for, without the key
    created_at: datetime
    priority: int = 0  # higher ones go first
    max_attempts: int = 3
    request_key: str | None = None
    parent_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressRecord:
    """How far a job is within its current phase, and its phases; the last is the current one."""

    phase: str = ""
    progress_done: int = 0
    progress_total: int | None = None
    progress_unit: str = ""
    progress_message: str = ""
    progress_per_s: float | None = None
    phases: Sequence[Mapping[str, Any]] = ()  # name, done, total, unit, seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord(NewJob):
    """A job as its row has it."""

    status: str  # one of JOB_STATUSES
    attempt: int  # how often it was claimed: the number that fences writes
    crashes: int  # how many of these attempts ended without a word
    progress: ProgressRecord
    updated_at: datetime
    owner: str | None
    lease_until: datetime | None
    checkpoint: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    cancel_requested_at: datetime | None
    error_code: str | None
    error_message: str | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Hold:
    """A worker's claim on a job: every write names all three, or it changes nothing."""

    job_id: str
    owner: str
    attempt: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something that happened to a job."""

    message: str
    level: str = "info"  # one of LOG_LEVELS
    at: datetime | None = None  # None: now
    line_no: int = 0  # from 1, given by the repository
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What a running job has reached; a `checkpoint` of None leaves the stored one."""

    progress: ProgressRecord = field(default_factory=ProgressRecord)
    checkpoint: Mapping[str, Any] | None = None
    log: Sequence[LogLine] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt that ended by itself came out."""

    status: str  # one of JOB_FINAL
    result: Mapping[str, Any] | None = None
    error_code: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list; what is None does not filter."""

    status: str | None = None
    kind: str | None = None
    parent_id: str | None = None
