"""Durable jobs, as they are listed and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # waits for a worker, the first time or again
    RUNNING = "running"  # a worker holds its lease
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # with a reason; a retry goes on from what is kept
    CANCELLED = "cancelled"  # stopped by a user; what was done is kept

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen unless a user asks for it."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class JobPhase:
    """A part of a job's work, as far as it is done."""

    name: str
    done: int  # of `total`, in `unit`
    total: int | None
    unit: str
    seconds: float  # that were spent on it


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it stands."""

    job_id: str  # sorts by the time of its making
    kind: str
    title: str
    status: JobStatus
    params: Mapping[str, Any]
    priority: int  # higher ones go first
    request_key: str | None
    parent_id: str | None
    attempt: int  # how often a worker took it
    crashes: int  # how many of these ended without a word, since it was last queued by a user
    max_attempts: int  # so many crashes, and it fails
    phase: str  # of the kind's own naming; "" before the first
    done: int  # of `total`, in `unit`, within the phase
    total: int | None
    unit: str
    message: str
    per_s: float | None  # over the last seconds; only while it runs
    eta_s: float | None  # of the phase, at that rate
    phases: tuple[JobPhase, ...]  # in their order; the last one is the current one
    result: Mapping[str, Any] | None  # what it made, once it succeeded
    is_resumable: bool  # there is a checkpoint to go on from
    is_cancelling: bool  # it runs, and was asked to stop
    owner: str | None  # the process that works on it
    error_code: str | None
    error_message: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobLogLine:
    """Something that happened to a job."""

    line: int  # from 1; only the last ones are kept
    at: datetime
    attempt: int
    level: str  # info | warning | error
    message: str


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of the list of jobs; `next_cursor` is None on the last one."""

    items: tuple[JobView, ...]
    next_cursor: str | None


def unit_word(n: int, unit: str) -> str:
    """What so many are called, where `unit` is said of many: 1 store, 2 stores."""
    if n != 1:
        return unit
    return "corpus" if unit == "corpora" else unit.removesuffix("s")
