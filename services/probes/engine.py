"""The engine's time for a short question: a place in its queue, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYet
from typing import TypeVar

from services.errors import Busy
from services.runs.worker import EngineWorker

T = TypeVar("T")

PATIENCE_S = 60.0


def ask(worker: EngineWorker, work: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """The result of `work`, done by the engine when it is its turn.

    Raises:
        Busy: the queue is full, or the turn did not come in time; then nothing was done.
        Unavailable: the server is shutting down.
    """
    future = worker.submit(work)
    try:
        result: T = future.result(timeout=patience_s)
    except NotYet:
        if future.done() or not worker.withdraw(future):
            result = future.result()  # begun: loading a model may take long, but it ends
        else:
            raise Busy(
                f"the model has been at work on something else for {patience_s:.0f} s: try again "
                "when the run under way has ended, or cancel it"
            ) from None
    return result
