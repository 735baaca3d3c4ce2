"""The one thread in which models compute, behind a queue with a stated bound.

One request per model at a time: hooks live on the modules and would see each other's activations.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from services.errors import Busy, Unavailable

Work = Callable[[], Any]
T = TypeVar("T")

_YIELD_MOST_S = 10.0
_LOOK_S = 0.02


class _Piece(NamedTuple):
    """Something to do in the engine's thread."""

    future: Future[Any]
    work: Work
    has_place: bool = True  # of the queue's bound


class EngineWorker:
    """Runs submitted work one piece after the other."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._waiting = 0
        self._closed = False
        self._work: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
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
            self._work.put(_Piece(future, work))
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

    def between(self, work: Callable[[], T]) -> Future[T]:
        """Queue a piece of a long job: in its turn like any work, without a place of the queue.

        Runs wait for the piece under way, and no longer: let it last a second at most, and submit
        the next one when this one is done. `cancel` of the future takes it out again.

        Raises:
            Unavailable: the server is shutting down.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise _closing()
            self._work.put(_Piece(future, work, has_place=False))
        return future

    def let_through(self, is_stopped: Callable[[], bool]) -> None:
        """Return once no run waits for the engine, or nobody cares any more; a job's `give_way`.

        Not for ever: where runs never cease, long jobs go on slowly instead of not at all.
        """
        deadline = time.monotonic() + _YIELD_MOST_S
        while self.waiting and not is_stopped() and time.monotonic() < deadline:
            time.sleep(_LOOK_S)

    def withdraw(self, future: Future[Any]) -> bool:
        """Take work out of the queue, with its place; False when it has begun."""
        is_withdrawn = not future.cancelled() and future.cancel()
        if is_withdrawn:
            self._give_back_place()
        return is_withdrawn

    def close(self, timeout_s: float = 10.0) -> None:
        """Take no more work, wait for the piece under way, and fail what has not begun."""
        with self._lock:
            self._closed = True
            self._work.put(None)
        self._thread.join(timeout_s)
        while not self._work.empty():
            piece = self._work.get()
            if piece is not None and piece.future.set_running_or_notify_cancel():
                piece.future.set_exception(_closing())

    def _take_place(self) -> None:
        with self._lock:
            if self._closed:
                raise _closing()
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
        while (piece := self._work.get()) is not None:
            if not piece.future.set_running_or_notify_cancel():
                continue  # withdrawn
            if piece.has_place:
                self._give_back_place()  # it waits no longer
            try:
                piece.future.set_result(piece.work())
            except BaseException as error:  # the future carries it to whoever asked
                piece.future.set_exception(error)


def _closing() -> Unavailable:
    return Unavailable("the server is shutting down")
