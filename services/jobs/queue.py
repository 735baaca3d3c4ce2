"""The port between jobs and what keeps them: one contract, whatever engine is behind it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Protocol

from db.job_records import Chunk, Ending, Hold, JobRecord, NewJob
from services.jobs.requests import JobQuery
from services.types import JobLogLine, JobPage, JobStatus, JobView

Write = Callable[[Any], None]
"""Stores a chunk's results with the session that it is given, and does nothing else."""

WriteWith = Callable[[Any, str], None]
"""Stores what belongs to a job, with the session and the job's id, and does nothing else."""


class LeaseLost(Exception):
    """The job is no longer this worker's: another one has it, or it is final."""


class JobQueue(Protocol):
    """Where jobs wait and are kept.

    All raise Unavailable while it is away, and ResourceExhausted when it has no space left.
    """

    # For those who want something done

    def submit(self, job: NewJob, write: WriteWith | None = None) -> JobView:
        """Queue a job; the one of the same key and fingerprint is the answer instead.

        `write` takes part in the transaction that queues a new one.

        Raises:
            Conflict: the key belongs to a job with another fingerprint.
            Busy: too many are waiting.
            NotFound: there is no job `parent_id`.
        """

    def get(self, job_id: str) -> JobView:
        """The job, or NotFound."""

    def by_key(self, request_key: str) -> JobView | None:
        """The job that was submitted under this key, or None."""

    def log(self, job_id: str) -> tuple[JobLogLine, ...]:
        """The last lines of its log, oldest first, or NotFound."""

    def page(self, query: JobQuery) -> JobPage:
        """One page of jobs, newest first."""

    def cancel(self, job_id: str) -> JobView:
        """End a waiting job, ask a running one to stop; a final one stays as it is."""

    def retry(self, job_id: str) -> JobView:
        """Queue a failed or cancelled job again; Conflict when it is neither."""

    # For those who do it

    def claim(
        self, kinds: Collection[str], lease_s: float, job_id: str | None = None
    ) -> tuple[Hold, JobRecord] | None:
        """Take the job that is next, of these kinds; none but `job_id` when that is given."""

    def keep(self, hold: Hold, lease_s: float, chunk: Chunk, write: Write | None = None) -> bool:
        """In one transaction: prolong the lease, keep the chunk, and `write` its results.

        Answers whether the job is to stop. LeaseLost, and nothing is written, when it is no longer
        held.
        """

    def is_cancelled(self, hold: Hold) -> bool:
        """Whether the job is to stop; LeaseLost when it is no longer held."""

    def finish(self, hold: Hold, ending: Ending, chunk: Chunk) -> JobStatus:
        """End the job, and say how: one that is to stop never succeeds.

        Raises LeaseLost when it is no longer held.
        """

    def hand_back(self, hold: Hold, chunk: Chunk) -> None:
        """Give the job to whoever comes next; LeaseLost when it is no longer held."""

    def recover(self) -> tuple[str, ...]:
        """Take jobs from dead workers: queue them again, or fail those that crash too often."""

    def prune(self, finished_before: datetime) -> int:
        """Forget jobs that were final before then; how many."""
