"""The queue in the product's own database, in the house's own values and errors."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime

from db.job_records import Chunk, Ending, Hold, JobFilter, JobRecord, NewJob
from db.jobs import JobRepository
from db.records import Cursor
from services.database import Database
from services.errors import Busy, Conflict, InvalidArgument, NotFound
from services.jobs.ids import could_be_id
from services.jobs.mapping import line_of, view_of
from services.jobs.queue import LeaseLost, Write, WriteWith
from services.jobs.requests import JobQuery
from services.runs.ownership import is_dead, this_process
from services.types import JobLogLine, JobPage, JobStatus, JobView

WAITING_MOST = 10_000
"""Jobs that may wait; one more is answered Busy."""


class TableQueue:
    """`services.jobs.queue.JobQueue` over the table `jobs`, for the worker `owner`."""

    def __init__(self, database: Database, owner: str | None = None) -> None:
        self._database = database
        self._owner = owner or this_process()

    def submit(self, job: NewJob, write: WriteWith | None = None) -> JobView:
        """Queue a job, once per key."""
        with self._database.write() as session:
            jobs = JobRepository(session)
            if job.request_key and (known := jobs.by_key(job.request_key)):
                return _same(known, job)
            if job.parent_id and jobs.get(job.parent_id) is None:
                raise _no_such_job(job.parent_id)
            if jobs.waiting(WAITING_MOST) >= WAITING_MOST:
                raise Busy(f"{WAITING_MOST:,} jobs are waiting already", retry_after_s=60)
            if not jobs.insert(job):  # another caller was faster
                known = jobs.by_key(job.request_key or "")
                assert known is not None
                return _same(known, job)
            if write is not None:
                write(session, job.job_id)
            return _found(jobs.get(job.job_id), job.job_id)

    def get(self, job_id: str) -> JobView:
        """The job, or NotFound."""
        _require_id(job_id)
        with self._read() as jobs:
            return _found(jobs.get(job_id), job_id)

    def by_key(self, request_key: str) -> JobView | None:
        """The job that was submitted under this key, or None."""
        with self._read() as jobs:
            known = jobs.by_key(request_key)
        return None if known is None else view_of(known)

    def log(self, job_id: str) -> tuple[JobLogLine, ...]:
        """The last lines of its log, oldest first."""
        _require_id(job_id)
        with self._read() as jobs:
            _found(jobs.get(job_id), job_id)
            return tuple(map(line_of, jobs.log(job_id)))

    def page(self, query: JobQuery) -> JobPage:
        """One page of jobs, newest first."""
        filters = JobFilter(
            status=query.status.value if query.status else None,
            kind=query.kind,
            parent_id=query.parent_id,
        )
        with self._read() as jobs:
            found = jobs.page(query.limit + 1, _parse_cursor(query.cursor), filters)
        items = tuple(map(view_of, found[: query.limit]))
        return JobPage(items, _cursor_of(items[-1]) if len(found) > query.limit else None)

    def cancel(self, job_id: str) -> JobView:
        """End a waiting job, ask a running one to stop."""
        _require_id(job_id)
        with self._write() as jobs:
            jobs.cancel(job_id)
            return _found(jobs.get(job_id), job_id)

    def retry(self, job_id: str) -> JobView:
        """Queue a failed or cancelled job again."""
        _require_id(job_id)
        with self._write() as jobs:
            is_queued = jobs.retry(job_id)
            view = _found(jobs.get(job_id), job_id)
        if not is_queued:
            raise Conflict(
                f"job {job_id} is {view.status.value}: only failed and cancelled jobs are retried",
                job_id=job_id,
            )
        return view

    def claim(
        self, kinds: Collection[str], lease_s: float, job_id: str | None = None
    ) -> tuple[Hold, JobRecord] | None:
        """Take the job that is next."""
        with self._write() as jobs:
            job = jobs.claim(self._owner, kinds, lease_s, job_id)
        return None if job is None else (Hold(job.job_id, self._owner, job.attempt), job)

    def keep(self, hold: Hold, lease_s: float, chunk: Chunk, write: Write | None = None) -> bool:
        """Keep the chunk, its results and the lease, all or nothing."""
        with self._database.write() as session:
            is_cancelled = _held(JobRepository(session).keep(hold, lease_s, chunk))
            if write is not None:
                write(session)
        return is_cancelled

    def is_cancelled(self, hold: Hold) -> bool:
        """Whether the job is to stop."""
        with self._read() as jobs:
            return _held(jobs.is_cancelled(hold))

    def finish(self, hold: Hold, ending: Ending, chunk: Chunk) -> JobStatus:
        """End the job, and say how."""
        with self._write() as jobs:
            status = jobs.finish(hold, ending, chunk)
        if status is None:
            raise LeaseLost
        return JobStatus(status)

    def hand_back(self, hold: Hold, chunk: Chunk) -> None:
        """Give the job to whoever comes next."""
        with self._write() as jobs:
            if not jobs.hand_back(hold, chunk):
                raise LeaseLost

    def recover(self) -> tuple[str, ...]:
        """Take jobs from dead workers."""
        with self._read() as jobs:
            owners = jobs.owners()
        if not owners:
            return ()
        dead = [owner for owner in owners if owner != self._owner and is_dead(owner)]
        with self._write() as jobs:
            return tuple(jobs.reap(dead))

    def prune(self, finished_before: datetime) -> int:
        """Forget jobs that were final before then."""
        removed = 0
        while True:
            with self._write() as jobs:
                n = jobs.prune(finished_before)
            removed += n
            if not n:
                return removed

    @contextmanager
    def _read(self) -> Iterator[JobRepository]:
        with self._database.read() as session:
            yield JobRepository(session)

    @contextmanager
    def _write(self) -> Iterator[JobRepository]:
        with self._database.write() as session:
            yield JobRepository(session)


def _same(known: JobRecord, asked: NewJob) -> JobView:
    if known.fingerprint != asked.fingerprint:
        raise Conflict(
            f"request_key {asked.request_key} belongs to a job with another body; leave the key "
            "out, or choose another",
            request_key=asked.request_key,
            job_id=known.job_id,
        )
    return view_of(known)


def _found(record: JobRecord | None, job_id: str) -> JobView:
    if record is None:
        raise _no_such_job(job_id)
    return view_of(record)


def _require_id(job_id: str) -> None:
    if not could_be_id(job_id):
        raise _no_such_job(job_id)


def _no_such_job(job_id: str) -> NotFound:
    return NotFound(f"there is no job {job_id[:64]!r}", job_id=job_id[:64])


def _held(answer: bool | None) -> bool:
    if answer is None:
        raise LeaseLost
    return answer


def _cursor_of(view: JobView) -> str:
    # `Z`, not `+00:00`: a plus that a client does not escape would arrive as a space.
    return f"{view.created_at.isoformat().replace('+00:00', 'Z')}|{view.job_id}"


def _parse_cursor(cursor: str | None) -> Cursor | None:
    if cursor is None:
        return None
    try:
        created_at, _, job_id = cursor.partition("|")
        moment = datetime.fromisoformat(created_at)
        if moment.tzinfo is None or not could_be_id(job_id):
            raise ValueError
    except ValueError:
        raise InvalidArgument(
            "cursor is none of this server's: pass `next_cursor` of the page before unchanged"
        ) from None
    return moment, job_id
