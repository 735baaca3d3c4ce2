"""What takes a while: adding, measuring, loading. In this process, in memory, a few at a time.

A task ends with the process; what it had finished stays, and an interrupted download resumes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from services.errors import ActiscopeError, Busy, NotFound, as_product_error
from services.registry.jobs import ADDING, ASIDE, MEASURING, Job, Stopped
from services.runs.worker import EngineWorker
from services.types import TaskStatus, TaskView

log = logging.getLogger(__name__)

T = TypeVar("T")
_THREADS = {ADDING: 2, MEASURING: 1, ASIDE: 1}  # the engine does one thing at a time anyway
_LIMIT = 32  # waiting and running together
_KEPT, _KEPT_FOR = 200, timedelta(days=1)
_QUIET_S = 3.0  # without work for the engine, before something unasked for begins
_LOOK_S = 0.1  # how often a task that waits for the engine looks whether it was cancelled


class Tasks:
    """Runs jobs in a few threads, and remembers them for a day."""

    def __init__(self, worker: EngineWorker) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._jobs: dict[str, Job] = {}
        self._work: dict[str, deque[tuple[Job, Callable[[Job], None]]]] = {
            lane: deque() for lane in _THREADS
        }
        self._threads: list[threading.Thread] = []
        self._closed = False

    def start(self, job: Job, work: Callable[[Job], None]) -> TaskView:
        """Queue `work`; an equal job (by `key`) that is not final is the answer instead.

        Raises:
            Busy: too many are waiting.
        """
        with self._lock:
            self._forget_old()
            active = [known for known in self._jobs.values() if not known.status.is_final]
            for known in active:
                if known.key == job.key and not known.cancelled.is_set():
                    return known.view
            if len(active) >= _LIMIT or self._closed:
                raise Busy(
                    f"{len(active)} tasks are under way: wait for one, or cancel it",
                    retry_after_s=30,
                )
            self._jobs[job.task_id] = job
            self._work[job.lane].append((job, work))
            self._start_threads()
            self._ready.notify_all()
        return job.view

    def get(self, task_id: str) -> TaskView:
        """The task.

        Raises:
            NotFound: there is none, or it ended long ago.
        """
        return self._job(task_id).view

    def all(self) -> tuple[TaskView, ...]:
        """All that are remembered, newest first."""
        with self._lock:
            return tuple(job.view for job in reversed(self._jobs.values()))

    def about(self, kind: str, id: str) -> tuple[str, ...]:
        """Titles of the tasks under way that work with it."""
        with self._lock:
            jobs = [job for job in self._jobs.values() if not job.status.is_final]
        return tuple(job.title for job in jobs if (kind, id) in job.about)

    def cancel(self, task_id: str) -> TaskView:
        """Stop the task; what it has registered stays. A finished one stays as it is."""
        job = self._job(task_id)
        job.cancelled.set()
        with self._lock:
            lane = self._work[job.lane]
            waiting = next((item for item in lane if item[0] is job), None)
            if waiting is not None:
                lane.remove(waiting)
        if waiting is not None:
            job.end(TaskStatus.CANCELLED)
        return job.view

    def wait(self, task_id: str, timeout_s: float | None = None) -> TaskView:
        """The task once it is final, or after `timeout_s`."""
        job = self._job(task_id)
        job.finished.wait(timeout_s)
        return job.view

    def on_engine(self, job: Job, work: Callable[[], T]) -> T:
        """The result of `work`, done in the engine's thread when it is free.

        Raises:
            Stopped: the task was cancelled; the work itself ends when it notices.
        """
        future = self._placed(job, work)
        while True:
            try:
                return future.result(_LOOK_S)
            except NotYet:
                if future.done():  # just now, or the time-out is the work's own
                    return future.result()
                if job.should_stop():
                    self._worker.withdraw(future)
                    raise Stopped from None

    def is_awaited(self) -> bool:
        """Whether somebody waits for the engine."""
        return self._worker.waiting > 0

    def wait_until_idle(self, job: Job) -> None:
        """Return once nobody has waited for the engine for a while.

        Raises:
            Stopped: the task was cancelled.
        """
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < _QUIET_S:
            job.check()
            job.cancelled.wait(_LOOK_S)
            if self.is_awaited():
                quiet_since = time.monotonic()

    def close(self) -> None:
        """Cancel what is under way, and wait a moment for it."""
        with self._lock:
            self._closed = True
            self._ready.notify_all()
            active = [job.task_id for job in self._jobs.values() if not job.status.is_final]
        for task_id in active:
            self.cancel(task_id)
        for thread in self._threads:
            thread.join(5)

    def _placed(self, job: Job, work: Callable[[], T]) -> Future[Any]:
        """`work` in the engine's queue, as soon as that has a place: a task can wait."""
        while True:
            job.check()
            try:
                return self._worker.submit(work)
            except Busy:
                job.cancelled.wait(_LOOK_S)

    def _job(self, task_id: str) -> Job:
        job = self._jobs.get(task_id)
        if job is None:
            raise NotFound(f"there is no task {task_id[:100]!r}", task_id=task_id[:100])
        return job

    def _start_threads(self) -> None:
        if not self._threads:
            self._threads = [
                threading.Thread(target=self._serve, args=(lane,), name=f"{lane}-{i}", daemon=True)
                for lane, n in _THREADS.items()
                for i in range(n)
            ]
            for thread in self._threads:
                thread.start()

    def _serve(self, lane: str) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._closed or self._work[lane])
                if not self._work[lane]:
                    return
                job, work = self._work[lane].popleft()
            _do(job, work)

    def _forget_old(self) -> None:
        oldest = datetime.now(UTC) - _KEPT_FOR
        final = [job for job in self._jobs.values() if job.finished_at is not None]
        for i, job in enumerate(final):
            if len(final) - i > _KEPT or (job.finished_at or oldest) < oldest:
                del self._jobs[job.task_id]


def _do(job: Job, work: Callable[[Job], None]) -> None:
    """In a task's thread: the whole of it, whatever happens."""
    job.status = TaskStatus.RUNNING
    try:
        job.check()
        work(job)
    except Stopped:
        job.end(TaskStatus.CANCELLED)
    except Exception as error:  # the task's edge: it must end with a reason
        if job.should_stop() and not isinstance(error, ActiscopeError):
            log.info("task %s ended while it was cancelled", job.task_id, exc_info=error)
            job.end(TaskStatus.CANCELLED)
        else:
            job.end(TaskStatus.FAILED, as_product_error(error))
    else:
        job.end(TaskStatus.SUCCEEDED)
