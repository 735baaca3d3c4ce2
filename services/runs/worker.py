"""The one thread in which models compute, behind a queue with a stated bound.

One request per model at a time: hooks live on the modules and would see each other's activations.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from services.errors import Busy, Unavailable

Work = Callable[[], Any]


class EngineWorker:
    """Runs submitted work one piece after the other."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._waiting = 0
        self._closed = False
        self._work: queue.SimpleQueue[tuple[Future[Any], Work] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Pieces of work that have not begun."""
        return self._waiting

    @property
    def is_alive(self) -> bool:
        """Whether work would be done."""
        return self._thread.is_alive()

    @contextmanager
    def place(self) -> Iterator[Callable[[Work], Future[Any]]]:
        """A place in the queue, given back when the block ends before it submits.

        Raises:
            Busy: all places are taken.
            Unavailable: the server is shutting down.
        """
        self._take_place()
        submitted = False

        def submit(work: Work) -> Future[Any]:
            nonlocal submitted
            submitted = True
            future: Future[Any] = Future()
            self._work.put((future, work))
            return future

        try:
            yield submit
        finally:
            if not submitted:
                self._give_back_place()

    def submit(self, work: Work) -> Future[Any]:
        """Queue `work`; its result or error is the future's.

        Raises:
            Busy: all places are taken.
        """
        with self.place() as submit:
            return submit(work)

    def withdraw(self, future: Future[Any]) -> bool:
        """Take work out of the queue, with its place; False when it has begun."""
        is_withdrawn = not future.cancelled() and future.cancel()
        if is_withdrawn:
            self._give_back_place()
        return is_withdrawn

    def close(self, timeout_s: float = 10.0) -> None:
        """Take no more work, wait for the piece under way, and fail what has not begun."""
        self._closed = True
        self._work.put(None)
        self._thread.join(timeout_s)
        while not self._work.empty():
            if (item := self._work.get()) is not None and item[0].set_running_or_notify_cancel():
                item[0].set_exception(Unavailable("the server is shutting down"))

    def _take_place(self) -> None:
        with self._lock:
            if self._closed:
                raise Unavailable("the server is shutting down")
            if self._waiting >= self.limit:
                raise Busy(
                    f"{self.limit} runs are waiting already; try again in a few seconds, or raise "
                    "ACTISCOPE_QUEUE_LIMIT",
                    retry_after_s=5,
                )
            self._waiting += 1

    def _give_back_place(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _serve(self) -> None:
        while (item := self._work.get()) is not None:
            future, work = item
            if not future.set_running_or_notify_cancel():
                continue  # withdrawn
            self._give_back_place()  # it waits no longer
            try:
                future.set_result(work())
            except BaseException as error:  # the future carries it to whoever asked
                future.set_exception(error)
