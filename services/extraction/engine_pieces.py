"""Work for the engine's thread, a piece at a time, so that runs come between."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from services.jobs.context import JobContext

T = TypeVar("T")
Engine = Callable[[Callable[[], Any]], "Future[Any]"]
_LOOK_S = 1.0  # how often a job that waits looks whether it is to stop


class Pieces:
    """Pieces of a job in the engine. After `stop` none begins any more."""

    def __init__(self, engine: Engine, job: JobContext) -> None:
        self._engine, self._job = engine, job
        self._stopped = threading.Event()

    def run(self, work: Callable[[], T]) -> T:
        """What `work` gives; raises what ends the job's attempt when it is to stop meanwhile."""
        return self.wait(self._engine(work))

    def wait(self, future: Future[T]) -> T:
        """The future's result, likewise."""
        while True:
            try:
                return future.result(_LOOK_S)
            except TimeoutError:
                if future.done():  # since then; or it is the work's own error
                    return future.result()
            if self._job.should_stop():
                future.cancel()
                self.stop()
                self._job.check()

    def run_beside(self, work: Callable[[], T]) -> T:
        """The same in another thread than the job's: it asks nothing of the job."""
        if self._stopped.is_set():
            raise Stopped
        result: T = self._engine(work).result()
        return result

    def stop(self) -> None:
        """Let no further piece begin."""
        self._stopped.set()


class Stopped(Exception):
    """The job ended while a thread of it was at work."""
