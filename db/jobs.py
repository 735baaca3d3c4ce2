"""The repository of jobs: every statement about them, within a session of `db.unit_of_work`.

Every transition is one UPDATE that names the state and the attempt it expects in its WHERE: a
worker that was taken for dead and comes back changes nothing. Transitions note themselves in the
job's log, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db import job_log, job_pages
from db.extractions import settle
from db.job_moves import JOBS, NOBODY, NOT_CANCELLED, as_it_was, held, move, progress_values
from db.job_records import (
    CRASHED,
    JOB_ACTIVE,
    JOB_FINAL,
    Chunk,
    Ending,
    Hold,
    JobFilter,
    JobRecord,
    LogLine,
    NewJob,
    ProgressRecord,
)
from db.records import Cursor, utc_now


class JobRepository:
    """Reads and writes jobs. Methods that answer bool say whether the job was as expected."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_postgres = session.get_bind().dialect.name == "postgresql"

    def now(self) -> datetime:
        """The database's clock: one for all workers. SQLite's is this machine's."""
        if not self._is_postgres:
            return utc_now()
        moment: datetime = self._session.execute(select(func.clock_timestamp())).scalar_one()
        return moment

    def insert(self, job: NewJob) -> bool:
        """Queue a new job; False when there is one with its `request_key`."""
        values = asdict(job) | progress_values(ProgressRecord())
        values |= {"status": "queued", "attempt": 0, "crashes": 0, "updated_at": job.created_at}
        dialect = postgresql if self._is_postgres else sqlite
        statement: Any = dialect.insert(JOBS).values(values)
        fresh = statement.on_conflict_do_nothing(index_elements=["request_key"])
        return bool(self._session.execute(fresh.returning(JOBS.c.job_id)).all())

    # By who works on it

    def claim(
        self, owner: str, kinds: Collection[str], lease_s: float, job_id: str | None = None
    ) -> JobRecord | None:
        """Take the job that is next: the oldest of the highest priority, or none but `job_id`."""
        waiting = [JOBS.c.status == "queued", JOBS.c.kind.in_(list(kinds))]
        if job_id is not None:
            waiting.append(JOBS.c.job_id == job_id)
        first = select(JOBS.c.job_id, JOBS.c.attempt, JOBS.c.started_at).where(*waiting)
        first = first.order_by(JOBS.c.priority.desc(), JOBS.c.job_id).limit(1)
        # PostgreSQL: rows that another worker is about to take are passed over. SQLite has one
        # writer at a time.
        found = self._session.execute(first.with_for_update(skip_locked=True)).one_or_none()
        if found is None:
            return None
        now = self.now()
        values = self._lease(now, lease_s) | {"status": "running", "owner": owner}
        values |= {
            "attempt": found.attempt + 1,
            "started_at": found.started_at or now,
            "progress_per_s": None,
        }
        line = LogLine(f"begun by {owner}, attempt {found.attempt + 1}")
        is_ours = move(self._session, as_it_was(found, "queued"), now, values, line)
        return self.get(found.job_id) if is_ours else None

    def keep(self, hold: Hold, lease_s: float, chunk: Chunk) -> bool | None:
        """Keep what was reached and prolong the lease: whether to stop, None when it is lost."""
        now = self.now()
        values = progress_values(chunk.progress) | self._lease(now, lease_s)
        if chunk.checkpoint is not None:
            values["checkpoint"] = dict(chunk.checkpoint)
        if not move(self._session, held(hold), now, values, *chunk.log):
            return None
        return self.is_cancelled(hold)

    def is_cancelled(self, hold: Hold) -> bool | None:
        """Whether a user wants the job to stop; None when it is no longer held."""
        asked = select(JOBS.c.cancel_requested_at).where(held(hold))
        row = self._session.execute(asked).one_or_none()
        return None if row is None else row.cancel_requested_at is not None

    def finish(self, hold: Hold, ending: Ending, chunk: Chunk) -> str | None:
        """End the job: its final status, or None when it is no longer held.

        A job whose cancelling was asked for never succeeds.
        """
        if ending.status not in JOB_FINAL:
            raise ValueError(f"a job cannot finish as {ending.status!r}")
        values = asdict(ending) | progress_values(chunk.progress)
        if ending.status != "succeeded":
            return ending.status if self._end(held(hold), values, chunk) else None
        if self._end(held(hold) & NOT_CANCELLED, values, chunk):
            return "succeeded"
        values |= {"status": "cancelled", "result": None}
        return "cancelled" if self._end(held(hold), values, chunk) else None

    def hand_back(self, hold: Hold, chunk: Chunk) -> bool:
        """Queue the job again: its worker stops, and the attempt does not count as a crash.

        One that is to be cancelled is cancelled instead.
        """
        progress = progress_values(chunk.progress)
        values = progress | NOBODY | {"status": "queued"}
        where, lines = held(hold) & NOT_CANCELLED, (*chunk.log, LogLine("handed back"))
        if move(self._session, where, self.now(), values, *lines):
            return True
        return self._end(held(hold), progress | {"status": "cancelled"}, chunk)

    def _end(self, where: ColumnElement[bool], values: dict[str, Any], chunk: Chunk) -> bool:
        now, status = self.now(), values["status"]
        level = "error" if status == "failed" else "info"
        last = LogLine(values.get("error_message") or status, level)
        ended = values | NOBODY | {"finished_at": now}
        return move(self._session, where, now, ended, *chunk.log, last)

    def _lease(self, now: datetime, lease_s: float) -> dict[str, Any]:
        return {"lease_until": now + timedelta(seconds=lease_s)}

    # By others

    def reap(self, dead_owners: Collection[str] = ()) -> list[str]:
        """Take jobs from workers that are dead or silent beyond their lease; the jobs' ids.

        Each is queued again, or failed when that happened `max_attempts` times.
        """
        now = self.now()
        gone = or_(JOBS.c.lease_until < now, JOBS.c.owner.in_(list(dead_owners)))
        lost = select(JOBS).where(JOBS.c.status == "running", gone)
        rows = self._session.execute(lost.with_for_update(skip_locked=True)).all()
        return [row.job_id for row in rows if self._reap(row, gone, now)]

    def _reap(self, row: Row[*tuple[Any, ...]], gone: ColumnElement[bool], now: datetime) -> bool:
        crashes = row.crashes + 1
        message = f"its worker {row.owner} ended without a word"
        values: dict[str, Any] = {"crashes": crashes, "status": "queued", **NOBODY}
        if row.cancel_requested_at is not None:
            values |= {"status": "cancelled", "finished_at": now}
        elif crashes >= row.max_attempts:
            message += f", as {crashes} attempts did; what was kept is kept, and a retry goes on"
            values |= {"status": "failed", "finished_at": now}
            values |= {"error_code": CRASHED, "error_message": message}
        where = as_it_was(row, "running") & gone
        return move(self._session, where, now, values, LogLine(message, "warning"))

    def cancel(self, job_id: str) -> bool:
        """End a waiting job, or ask a running one's worker to stop; False when it is final."""
        while (row := self._state(job_id)) is not None and row.status in JOB_ACTIVE:
            if row.cancel_requested_at is not None:
                return True
            now = self.now()
            values: dict[str, Any] = {"cancel_requested_at": now}
            line = LogLine("cancelling was asked for")
            if row.status == "queued":
                values |= {"status": "cancelled", "finished_at": now}
                line = LogLine("cancelled while it waited")
            if move(self._session, as_it_was(row, row.status), now, values, line):
                return True
        return False

    def retry(self, job_id: str) -> bool:
        """Queue a failed or cancelled job again, to go on from its checkpoint."""
        row = self._state(job_id)
        if row is None or row.status not in ("failed", "cancelled"):
            return False
        cleared = ("cancel_requested_at", "error_code", "error_message", "finished_at")
        values = dict.fromkeys(cleared) | {"status": "queued", "crashes": 0}
        where = as_it_was(row, row.status)
        return move(self._session, where, self.now(), values, LogLine("queued again"))

    def prune(self, finished_before: datetime, limit: int = 500) -> int:
        """Remove at most `limit` jobs that were final before then; how many there were."""
        final = JOBS.c.status.in_(JOB_FINAL) & (JOBS.c.finished_at < finished_before)
        old = list(self._session.scalars(select(JOBS.c.job_id).where(final).limit(limit)))
        settle(self._session, JOBS.c.job_id.in_(old) & final)
        statement = delete(JOBS).where(JOBS.c.job_id.in_(old), final)
        return len(self._session.execute(statement.returning(JOBS.c.job_id)).all())

    # Reading

    def get(self, job_id: str) -> JobRecord | None:
        """The job, or None."""
        return job_pages.one(self._session, JOBS.c.job_id == job_id)

    def by_key(self, request_key: str) -> JobRecord | None:
        """The job that was submitted under this key, or None."""
        return job_pages.one(self._session, JOBS.c.request_key == request_key)

    def page(self, limit: int, cursor: Cursor | None, filters: JobFilter) -> list[JobRecord]:
        """At most `limit` jobs after `cursor`, newest first."""
        return job_pages.page(self._session, limit, cursor, filters)

    def log(self, job_id: str) -> list[LogLine]:
        """The last lines of the job's log, oldest first."""
        return job_log.read(self._session, job_id)

    def owners(self) -> list[str]:
        """Who has running jobs."""
        statement = select(JOBS.c.owner).where(JOBS.c.status == "running").distinct()
        return [owner for owner in self._session.scalars(statement) if owner]

    def waiting(self, at_most: int) -> int:
        """How many jobs are queued, counted up to `at_most`."""
        some = select(1).where(JOBS.c.status == "queued").limit(at_most).subquery()
        return self._session.scalar(select(func.count()).select_from(some)) or 0

    def _state(self, job_id: str) -> Row[*tuple[Any, ...]] | None:
        columns = (JOBS.c.job_id, JOBS.c.status, JOBS.c.attempt, JOBS.c.cancel_requested_at)
        return self._session.execute(select(*columns).where(columns[0] == job_id)).one_or_none()
