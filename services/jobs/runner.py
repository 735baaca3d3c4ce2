"""The embedded runner: a thread that works on jobs, and one that keeps their leases.

It lives in the process that holds the models. Several runners, in one process or in many, share
the jobs between them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import chain, repeat
from typing import TypeVar

from db.job_records import Ending, Hold, JobRecord
from db.records import utc_now
from services.errors import ResourceExhausted, Unavailable, as_product_error
from services.jobs.context import Cancelled, GiveWay, HandedBack, JobContext
from services.jobs.kinds import Kinds
from services.jobs.queue import JobQueue, LeaseLost
from services.text import storable

log = logging.getLogger(__name__)

T = TypeVar("T")

LEASE_S = 30.0
POLL_S = 1.0  # how often an idle runner looks for jobs of others, and a busy one shows its progress
PRUNE_EVERY_S = 3600.0
_PAUSES_S = (0.2, 0.5, 1, 2, 5)  # between tries to end a job; then every ten seconds


class Runner:
    """Claims one job after the other and does what its kind says.

    With `only` it works on that job alone, with `takes` on jobs of the kinds for which it answers
    true. Finished jobs are forgotten after `kept_for`.
    """

    def __init__(
        self,
        queue: JobQueue,
        kinds: Kinds,
        *,
        lease_s: float = LEASE_S,
        poll_s: float = POLL_S,
        kept_for: timedelta | None = None,
        give_way: GiveWay | None = None,
        only: str | None = None,
        takes: Callable[[str], bool] | None = None,
    ) -> None:
        self._queue, self._kinds = queue, kinds
        self._lease_s, self._poll_s = lease_s, poll_s
        self._kept_for, self._give_way, self._only = kept_for, give_way, only
        self._takes = takes or (lambda kind: True)
        self._closing, self._wake = threading.Event(), threading.Event()
        self._current: JobContext | None = None
        self._threads: list[threading.Thread] = []
        self._tended_at = self._pruned_at = float("-inf")

    def start(self) -> None:
        """Begin to work; nothing when it has begun, or there is no kind of job."""
        if self._threads or not self._names():
            return
        self._tend()
        for name, work in (("jobs", self._serve), ("jobs-keeper", self._watch)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def close(self, grace_s: float = 10.0) -> None:
        """Stop: the job under way is handed back with its next batch, or after `grace_s`."""
        deadline = time.monotonic() + grace_s
        self._closing.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        if (current := self._current) is not None:  # a long batch: what it does is for nothing
            with suppress(LeaseLost, Unavailable, ResourceExhausted):
                self._queue.hand_back(current.hold, current.reached.snapshot())

    # The worker's thread

    def _serve(self) -> None:
        while not self._closing.is_set():
            claimed = self._safely(self._claim)
            if claimed is not None:
                self._work(*claimed)
            else:
                self._wake.wait(self._poll_s)
                self._wake.clear()

    def _claim(self) -> tuple[Hold, JobRecord] | None:
        return self._queue.claim(self._names(), self._lease_s, self._only)

    def _names(self) -> list[str]:
        return [name for name in self._kinds.names() if self._takes(name)]

    def _work(self, hold: Hold, record: JobRecord) -> None:
        """One attempt, from the claim to the last write, whatever happens."""
        context = JobContext(
            self._queue, hold, record, self._lease_s, self._closing, self._give_way
        )
        self._current = context
        try:
            ending = self._attempt(context, record)
            if ending is None:
                context.put_down(lambda chunk: self._queue.hand_back(hold, chunk))
            else:
                self._persistently(lambda: self._finish(context, ending))
        except LeaseLost:
            log.warning("job %s is no longer this worker's: attempt dropped", hold.job_id)
        except (Unavailable, ResourceExhausted) as error:  # whoever comes next takes it over
            log.warning("job %s could not be put down: %s", hold.job_id, error)
        except Exception as error:  # the runner goes on
            log.error("job %s could not be ended", hold.job_id, exc_info=error)
        finally:
            self._current = None

    def _attempt(self, context: JobContext, record: JobRecord) -> Ending | None:
        """Do the work; None when it is to be handed back."""
        try:
            context.check()
            kind = self._kinds.get(record.kind)
            result = kind.run(context, kind.read(record.params, record.params_version))
            return Ending(status="succeeded", result=None if result is None else dict(result))
        except HandedBack:
            return None
        except Cancelled:
            return Ending(status="cancelled")
        except LeaseLost:
            raise
        except BaseException as error:  # also the panics of libraries, which are no Exception
            if self._closing.is_set() and isinstance(error, Unavailable):
                return None  # what it needs was stopped before it
            return _failed(error)

    def _finish(self, context: JobContext, ending: Ending) -> None:
        try:
            context.put_down(lambda chunk: self._queue.finish(context.hold, ending, chunk))
        except ValueError as error:  # a result that cannot be stored
            failed = _failed(error)
            context.put_down(lambda chunk: self._queue.finish(context.hold, failed, chunk))

    def _persistently(self, write: Callable[[], None]) -> None:
        """`write`, tried again while the database is away: an end must not be lost."""
        for pause_s in chain(_PAUSES_S, repeat(10)):
            try:
                return write()
            except (Unavailable, ResourceExhausted) as error:
                log.warning("cannot end a job now, trying again in %s s: %s", pause_s, error)
                if self._closing.wait(pause_s):
                    return write()

    # The keeper's thread

    def _watch(self) -> None:
        every_s = min(self._poll_s, self._lease_s / 3)
        while not self._closing.wait(every_s):
            if (current := self._current) is not None:
                self._safely(current.renew)
            if time.monotonic() - self._tended_at >= self._lease_s / 3:
                self._tend()

    def _tend(self) -> None:
        """Take over from dead workers, and forget what is old."""
        self._tended_at = time.monotonic()
        if self._safely(self._queue.recover):
            self.wake()
        is_due = time.monotonic() - self._pruned_at >= PRUNE_EVERY_S
        if self._kept_for is not None and is_due:
            self._pruned_at, before = time.monotonic(), utc_now() - self._kept_for
            self._safely(lambda: self._queue.prune(before))

    def _safely(self, ask: Callable[[], T]) -> T | None:
        """What the queue answers; None while it is away."""
        try:
            return ask()
        except (Unavailable, ResourceExhausted) as error:
            log.warning("the queue of jobs cannot be used now: %s", error)
        except Exception as error:  # without its threads no job would be done any more
            log.error("the queue of jobs failed", exc_info=error)
        return None


def _failed(error: BaseException) -> Ending:
    failure = as_product_error(error)
    message = storable(failure.message)
    return Ending(status="failed", error_code=failure.code, error_message=message)
