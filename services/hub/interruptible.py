"""Blocking work that can be left at once: a name look-up, a connection that says nothing."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

Item = TypeVar("Item")
_LOOK_EVERY_S = 0.1
_AHEAD = 8  # items that may wait: enough to overlap reading with writing
_END = object()


class Stopped(Exception):
    """The user asked to stop; what was downloaded is kept for the next time."""


def interruptible(
    produce: Callable[[], Generator[Item]], should_stop: Callable[[], bool]
) -> Generator[Item]:
    """What `produce` yields, made in a thread of its own.

    When `should_stop`, `Stopped` is raised within a tenth of a second; the thread is left behind
    and ends by itself once its blocking call returns, at the latest at its time-out.
    """
    box: queue.Queue[object] = queue.Queue(_AHEAD)
    left = threading.Event()
    arguments = (produce, box, left)
    threading.Thread(target=_produce, args=arguments, name="hub", daemon=True).start()
    try:
        while True:
            if should_stop():
                raise Stopped
            try:
                item = box.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                continue
            if item is _END:
                return
            if isinstance(item, BaseException):
                raise item
            yield item  # type: ignore[misc]
    finally:
        left.set()


def wait(seconds: float, should_stop: Callable[[], bool]) -> None:
    """Sleep; raises `Stopped` when asked to stop meanwhile."""
    end = time.monotonic() + seconds
    while (remaining := end - time.monotonic()) > 0:
        if should_stop():
            raise Stopped
        time.sleep(min(_LOOK_EVERY_S, remaining))


def _produce(
    produce: Callable[[], Generator[object]], box: queue.Queue[object], left: threading.Event
) -> None:
    try:
        with closing(produce()) as items:
            for item in items:
                if not _put(item, box, left):
                    return
    except BaseException as error:
        _put(error, box, left)
    else:
        _put(_END, box, left)


def _put(item: object, box: queue.Queue[object], left: threading.Event) -> bool:
    while not left.is_set():
        try:
            box.put(item, timeout=_LOOK_EVERY_S)
        except queue.Full:
            continue
        return True
    return False
