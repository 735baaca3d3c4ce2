"""A task from inside: where its work reports what it does, and learns that it is to stop."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.errors import ActiscopeError
from services.types import TaskStatus, TaskView

# Lanes: tasks of one do not wait for those of another. Aside is what nobody asked for.
ADDING, MEASURING, ASIDE = "adding", "measuring", "aside"
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
