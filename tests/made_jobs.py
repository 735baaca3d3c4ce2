"""Kinds of job for tests: one counts in chunks, which it stores in a table of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import Field
from sqlalchemy import BigInteger, Column, Engine, MetaData, Table, Text, delete, insert, select

from db.job_records import NewJob
from db.records import utc_now
from services.jobs.context import JobContext
from services.jobs.ids import new_id
from services.jobs.kinds import Kind
from services.jobs.requests import JobParams

CHUNKS = Table(
    "test_chunks",
    MetaData(),
    Column("job_id", Text, primary_key=True),
    Column("chunk", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", BigInteger),
)
"""What counting stores: its key makes a chunk that is stored twice an error."""


class CountParams(JobParams):
    """How far to count."""

    to: int = Field(10, ge=0, le=100_000)
    pause_s: float = 0.0
    fail_at: int | None = None
    note: str = ""
    again: bool = False  # a number may be stored twice: needed where a commit's answer may be lost


def _store(job: JobContext, chunk: int, again: bool, session: Any) -> None:
    if again:
        same = (CHUNKS.c.job_id == job.job_id) & (CHUNKS.c.chunk == chunk)
        session.execute(delete(CHUNKS).where(same))
    row = {"job_id": job.job_id, "chunk": chunk, "attempt": job.attempt}
    session.execute(insert(CHUNKS), row)


def count(job: JobContext, params: CountParams) -> Mapping[str, Any]:
    """Count from the checkpoint on, and store every number."""
    start = job.checkpoint["done"] if job.checkpoint else 0
    job.begin("counting", params.to, "numbers", start)
    for i in range(start, params.to):
        job.give_way()
        time.sleep(params.pause_s)
        if i == params.fail_at and job.attempt == 1:
            raise RuntimeError("this is where it fails")
        job.progress(i + 1)
        job.commit({"done": i + 1}, partial(_store, job, i, params.again))
    return {"counted": params.to}


COUNT = Kind("count", CountParams, count, lambda params: f"Count to {params.to}")


def make_chunks_table(engine: Engine) -> None:
    """The table that counting stores into."""
    CHUNKS.metadata.create_all(engine)


def chunks_of(session: Any, job_id: str) -> list[int]:
    """The numbers that the job has stored, ascending."""
    statement = select(CHUNKS.c.chunk).where(CHUNKS.c.job_id == job_id)
    return list(session.scalars(statement.order_by(CHUNKS.c.chunk)))


def new_job(**changes: Any) -> NewJob:
    """A job of counting to ten."""
    made = {
        "job_id": new_id(),
        "kind": "count",
        "title": "Count to 10",
        "params": {"to": 10},
        "params_version": 1,
        "fingerprint": "f",
        "created_at": utc_now(),
    }
    return NewJob(**(made | changes))
