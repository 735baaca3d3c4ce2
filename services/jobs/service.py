"""Jobs, as pages, REST and the command line use them: start, follow, cancel, retry."""

from __future__ import annotations

import threading
import time
from typing import Any

from db.job_records import NewJob
from db.records import utc_now
from services.jobs.ids import new_id
from services.jobs.kinds import Kind, Kinds
from services.jobs.queue import JobQueue, WriteWith
from services.jobs.requests import JobQuery, StartJob
from services.jobs.runner import Runner
from services.types import JobLogLine, JobPage, JobView

_FOLLOW_S = 0.2  # how often the row is read by those who wait

# The class has a method `list`, so the type is named out here.
LogLines = tuple[JobLogLine, ...]


class Jobs:
    """The jobs of a database, and this process's runners of them."""

    def __init__(self, queue: JobQueue, kinds: Kinds, *runners: Runner) -> None:
        self._queue = queue
        self._kinds = kinds
        self._runners = list(runners)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What kinds of job there are."""
        return self._kinds.names()

    def work(self) -> None:
        """Work on jobs from now on, in threads of this process."""
        for runner in self._runners:
            runner.start()

    def work_on(self, job_id: str) -> None:
        """Work on this one alone, in a thread of this process, unless another worker has it."""
        runner = Runner(self._queue, self._kinds, only=job_id)
        self._runners.append(runner)
        runner.start()

    def start(self, request: StartJob, write: WriteWith | None = None) -> JobView:
        """Accept a job; from then on it is finished, failed with a reason, or goes on.

        The same `request_key` with the same body gives the job that exists. `write` stores what
        belongs to a new job, with the session and the job's id, in the same transaction.

        Raises:
            InvalidArgument: there is no such kind, or a parameter is wrong.
            NotFound: there is no job `parent_id`.
            Conflict: the key exists with another body.
            Busy: too many are waiting.
        """
        view = self._queue.submit(_new(request, self._kinds.get(request.kind)), write)
        self._wake()
        return view

    def by_key(self, request_key: str) -> JobView | None:
        """The job that was started under this key, or None."""
        return self._queue.by_key(request_key)

    def get(self, job_id: str) -> JobView:
        """The job.

        Raises:
            NotFound: there is none, or it ended long ago.
        """
        return self._queue.get(job_id)

    def log(self, job_id: str) -> LogLines:
        """The last lines of the job's log, oldest first."""
        return self._queue.log(job_id)

    def list(self, query: JobQuery) -> JobPage:
        """One page of jobs, newest first."""
        return self._queue.page(query)

    def cancel(self, job_id: str) -> JobView:
        """Stop the job within a batch; what it did is kept. A final one stays as it is."""
        return self._queue.cancel(job_id)

    def retry(self, job_id: str) -> JobView:
        """Queue a failed or cancelled job again: it goes on from what is kept.

        Raises:
            Conflict: it is neither.
        """
        view = self._queue.retry(job_id)
        self._wake()
        return view

    def wait(self, job_id: str, timeout_s: float | None = None) -> JobView:
        """The job once it is final, or after `timeout_s`."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            view = self.get(job_id)
            if view.status.is_final or (deadline is not None and time.monotonic() >= deadline):
                return view
            time.sleep(_FOLLOW_S)

    def close(self) -> None:
        """Hand back what is under way, and stop."""
        closing = [threading.Thread(target=runner.close) for runner in self._runners]
        for thread in closing:  # together: each may wait for a batch
            thread.start()
        for thread in closing:
            thread.join()

    def _wake(self) -> None:
        for runner in self._runners:
            runner.wake()


def _new(request: StartJob, kind: Kind[Any]) -> NewJob:
    params = kind.check(request.params)
    values = params.model_dump(mode="json")
    return NewJob(
        job_id=new_id(),
        kind=kind.name,
        title=kind.title(params),
        params=values,
        params_version=kind.version,
        fingerprint=request.fingerprint(values, kind.version),
        created_at=utc_now(),
        priority=request.priority,
        max_attempts=kind.max_attempts,
        request_key=request.request_key,
        parent_id=request.parent_id,
    )
