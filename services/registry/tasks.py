"""What takes a while: adding, measuring, loading. In this process, in memory, a few at a time.

A task ends with the process; what it had finished stays, and an interrupted download resumes.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from services.errors import ActiscopeError, Busy, NotFound, as_product_error
from services.runs.worker import EngineWorker
from services.types import TaskStatus, TaskView

log = logging.getLogger(__name__)

T = TypeVar("T")
ADDING, MEASURING = "adding", "measuring"
_THREADS = {ADDING: 2, MEASURING: 1}  # the engine does one thing at a time anyway
_LIMIT = 32  # waiting and running together
_KEPT, _KEPT_FOR = 200, timedelta(days=1)
_LOOK_S = 0.1  # how often a task that waits for the engine looks whether it was cancelled
_RATE_OVER_S = 5.0


class Stopped(Exception):
    """The task was cancelled; raised where its work notices, and never seen outside."""


@dataclass
class Job:
    """A task from inside: the work reports here, everybody else reads `view`."""

    kind: str
    title: str
    key: str
    lane: str = ADDING
    about: frozenset[tuple[str, str]] = frozenset()  # ("models" or "saes", id)
    task_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: TaskStatus = TaskStatus.QUEUED
    phase: str = "waiting"
    finished_at: datetime | None = None
    error: ActiscopeError | None = None
    results: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    _progress: tuple[int, int | None, str] = (0, None, "")
    _marks: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=100))

    def begin(self, phase: str, total: int | None = None, unit: str = "") -> None:
        """A phase begins.

        Raises:
            Stopped: the task was cancelled.
        """
        self.check()
        self.phase = phase
        self._marks.clear()
        self._progress = (0, total, unit)
        self._marks.append((time.monotonic(), 0))

    def progress(self, done: int, total: int | None = None) -> None:
        """So much of the phase is done."""
        _, known, unit = self._progress
        self._progress = (done, total if total is not None else known, unit)
        self._marks.append((time.monotonic(), done))

    def should_stop(self) -> bool:
        """Whether the work is to end early."""
        return self.cancelled.is_set()

    def check(self) -> None:
        """Raise `Stopped` when the task was cancelled."""
        if self.cancelled.is_set():
            raise Stopped

    def end(self, status: TaskStatus, error: ActiscopeError | None = None) -> None:
        """Nothing more happens."""
        self.error, self.finished_at = error, datetime.now(UTC)
        self.phase = "done"
        self.status = status
        self.finished.set()

    @property
    def view(self) -> TaskView:
        """As others see it."""
        done, total, unit = self._progress
        return TaskView(
            task_id=self.task_id,
            kind=self.kind,
            title=self.title,
            status=self.status,
            phase=self.phase,
            done=done,
            total=total,
            unit=unit,
            per_s=None if self.status.is_final else self._rate(),
            created_at=self.created_at,
            finished_at=self.finished_at,
            results=tuple(self.results),
            problems=tuple(self.problems),
            error_code=self.error.code if self.error else None,
            error_message=self.error.message if self.error else None,
        )

    def _rate(self) -> float | None:
        """Progress per second over the last few seconds; None before there is any."""
        marks = list(self._marks)
        recent = [m for m in marks if m[0] >= time.monotonic() - _RATE_OVER_S] or marks[-1:]
        if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
            return None
        return (recent[-1][1] - recent[0][1]) / (recent[-1][0] - recent[0][0])


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

    def active(self) -> tuple[TaskView, ...]:
        """Those under way."""
        return tuple(view for view in self.all() if not view.status.is_final)

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
                if future.done():
                    raise  # the work's own
                if job.should_stop():
                    self._worker.withdraw(future)
                    raise Stopped from None

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
