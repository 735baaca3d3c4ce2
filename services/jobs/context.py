"""A job from inside: where its work says what it has done, and learns that it is to stop.

A kind's `run` looks like this:

    for batch in batches[after(job.checkpoint) :]:
        job.give_way()                                # interactive work goes first
        results = compute(batch)                      # no transaction is open here
        job.progress(batch.end)
        job.commit({"done": batch.end}, write=results.store)

`commit` and `check` raise what ends the attempt; a kind lets it pass. A chunk that was computed
when the job is stopped is still kept by `commit`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from itertools import chain, repeat
from typing import Any, TypeVar

from db.job_records import Chunk, Hold, JobRecord
from services.errors import ResourceExhausted, Unavailable
from services.jobs.progress import Progress
from services.jobs.queue import JobQueue, LeaseLost, Write

log = logging.getLogger(__name__)

T = TypeVar("T")

GiveWay = Callable[[Callable[[], bool]], None]
"""Returns once interactive work has been let through, or when the function it is given, which
says whether the job is to stop, answers true."""

_PAUSES_S = (0.2, 0.5, 1, 2, 5)  # between tries to store; then again and again every ten seconds
_FULL_TRIES = 4  # a full disk is no passing trouble


class Cancelled(Exception):
    """A user stopped the job; what was committed is kept."""


class HandedBack(Exception):
    """This process stops: another one goes on with the job."""


class JobContext:
    """One attempt at one job.

    All methods may raise Cancelled, HandedBack or LeaseLost, which end the attempt.
    """

    def __init__(
        self,
        queue: JobQueue,
        hold: Hold,
        record: JobRecord,
        lease_s: float,
        closing: threading.Event,
        give_way: GiveWay | None = None,
    ) -> None:
        self.job_id, self.attempt = hold.job_id, hold.attempt
        self.checkpoint: Mapping[str, Any] | None = record.checkpoint
        self.hold = hold
        self.reached = Progress(record.progress)
        self._queue = queue
        self._lease_s = lease_s
        self._closing = closing
        self._give_way = give_way
        self._writing = threading.Lock()
        self._cancelled = threading.Event()
        self._lost = threading.Event()

    # Saying what is done

    def begin(self, phase: str, total: int | None = None, unit: str = "", done: int = 0) -> None:
        """A phase begins, or goes on after `done` that an earlier attempt did."""
        self.reached.begin(phase, total, unit, done)
        self.check()

    def progress(self, done: int, total: int | None = None, message: str | None = None) -> None:
        """So much of the phase is done; shown within a second, kept with the next commit."""
        self.reached.advance(done, total, message)

    def log(self, message: str, level: str = "info") -> None:
        """A line of the job's log; `level` is info, warning or error."""
        self.reached.log(message, level)

    def commit(self, checkpoint: Mapping[str, Any], write: Write | None = None) -> None:
        """Keep a chunk: results, checkpoint, progress and lease in one transaction, or nothing.

        `write` stores the results with the session that it is given, and does nothing else. It
        runs again when the database was away, which may have been after it had stored them: rows
        have the job and the chunk as their key. The checkpoint holds JSON values.

        Raises:
            ResourceExhausted: no space is left; nothing of the chunk is kept.
        """
        kept = dict(checkpoint)
        self._store(kept, write)
        self.checkpoint = kept
        self._raise_if_stopped()

    # Learning what to do

    def check(self) -> None:
        """Raise what ends the attempt, if anything does; reads the row: call it per batch."""
        if self.should_stop():
            self._raise_if_stopped()

    def should_stop(self) -> bool:
        """Whether the attempt is to end: commit what is done so far, and call `check`."""
        if not self._is_stopped():
            try:
                if self._queue.is_cancelled(self.hold):
                    self._cancelled.set()
            except LeaseLost:
                self._lost.set()
            except Unavailable as error:  # the next commit waits for it
                log.warning("cannot look whether job %s is cancelled: %s", self.job_id, error)
        return self._is_stopped()

    def give_way(self) -> None:
        """Let interactive work go first; between batches."""
        self.check()
        if self._give_way is not None:
            self._give_way(self._is_stopped)
            self._raise_if_stopped()

    # For the runner

    def renew(self) -> None:
        """Prolong the lease, show the progress, and look for a stop; from another thread."""
        with self._writing:
            if not self._lost.is_set():
                self._keep(None, None)

    def put_down(self, write: Callable[[Chunk], T]) -> T:
        """The last write of the attempt, with what was reached; no renewal comes between."""
        with self._writing:
            return write(self.reached.snapshot())

    def _is_stopped(self) -> bool:
        return self._cancelled.is_set() or self._lost.is_set() or self._closing.is_set()

    def _raise_if_stopped(self) -> None:
        if self._lost.is_set():
            raise LeaseLost
        if self._cancelled.is_set():
            raise Cancelled
        if self._closing.is_set():
            raise HandedBack

    def _store(self, checkpoint: dict[str, Any] | None, write: Write | None) -> None:
        """Keep it, waiting for a database that is away: what was computed must not be lost."""
        for tries, pause_s in enumerate(chain(_PAUSES_S, repeat(10)), 1):
            try:
                with self._writing:
                    return self._keep(checkpoint, write)
            except (Unavailable, ResourceExhausted) as error:
                if isinstance(error, ResourceExhausted) and tries >= _FULL_TRIES:
                    raise
                log.warning("cannot store job %s, again in %s s: %s", self.job_id, pause_s, error)
                if self._closing.wait(pause_s):
                    raise HandedBack from error

    def _keep(self, checkpoint: dict[str, Any] | None, write: Write | None) -> None:
        chunk = self.reached.snapshot(checkpoint)
        try:
            if self._queue.keep(self.hold, self._lease_s, chunk, write):
                self._cancelled.set()
        except LeaseLost:
            self._lost.set()
        else:
            self.reached.stored(chunk)
