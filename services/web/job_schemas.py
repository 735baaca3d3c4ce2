"""What REST answers about jobs, as the OpenAPI document says it.

The answers themselves are built by `services.jobs.mapping`; the tests hold every answer against
its model.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from services.types import JobStatus


class JobPhaseBody(BaseModel):
    """A part of a job's work, as far as it is done."""

    name: str
    done: int = Field(description="of `total`, in `unit`")
    total: int | None
    unit: str
    seconds: float


class JobBody(BaseModel):
    """A job as it stands."""

    job_id: str = Field(description="sorts by the time of its making")
    kind: str
    title: str
    status: JobStatus
    params: dict[str, Any]
    priority: int = Field(description="higher ones go first")
    request_key: str | None
    parent_id: str | None
    attempt: int = Field(description="how often a worker took it")
    crashes: int = Field(description="how many of these ended without a word")
    max_attempts: int = Field(description="so many crashes, and it fails")
    phase: str
    done: int = Field(description="of `total`, in `unit`, within the phase")
    total: int | None
    unit: str
    message: str
    per_s: float | None = Field(description="over the last seconds; only while it runs")
    eta_s: float | None = Field(description="of the phase, at that rate")
    phases: list[JobPhaseBody] = Field(description="the last one is the current one")
    result: dict[str, Any] | None = Field(description="what it made, once it succeeded")
    is_resumable: bool = Field(description="a retry goes on from a checkpoint")
    is_cancelling: bool
    owner: str | None = Field(description="the process that works on it")
    error_code: str | None
    error_message: str | None
    created_at: str
    updated_at: str
    started_at: str | None
    finished_at: str | None


class JobLogLineBody(BaseModel):
    """Something that happened to a job."""

    line: int = Field(description="from 1; only the last ones are kept")
    at: str
    attempt: int
    level: Literal["info", "warning", "error"]
    message: str


class JobWithLogBody(JobBody):
    """A job with the last lines of its log, oldest first."""

    log: list[JobLogLineBody]


class JobsBody(BaseModel):
    """Jobs, newest first."""

    items: list[JobBody]
    next_cursor: str | None = Field(description="null on the last page")
