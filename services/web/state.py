"""What the web edge keeps beside the Flask server: the container, and places for long requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app, request

from services.errors import Busy

if TYPE_CHECKING:
    from services.container import Container

# A waiting run and an event stream each hold a thread of the server until they end; half of the
# threads stay free for everybody else.
SERVER_THREADS = 32
LONG_REQUESTS = SERVER_THREADS // 2

_KEY = "actiscope"


@dataclass
class WebState:
    """One per Flask server."""

    container: Container
    csp_hashes: Callable[[], list[str]]
    callbacks: dict[str, Any] = field(default_factory=dict)  # Dash's, by output
    closing: threading.Event = field(default_factory=threading.Event)
    _places: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(LONG_REQUESTS)
    )

    def take_place(self) -> Callable[[], None]:
        """A place for a long request; call the result once to give it back.

        Raises:
            Busy: all places are taken.
        """
        if not self._places.acquire(blocking=False):
            raise Busy(
                f"{LONG_REQUESTS} requests are waiting for runs already; send "
                "'Prefer: respond-async' and ask for the run later",
                retry_after_s=5,
            )
        return self._places.release

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for the time of the block."""
        give_back = self.take_place()
        try:
            yield
        finally:
            give_back()


def attach(server: Flask, state: WebState) -> None:
    """Keep `state` with the server."""
    server.extensions[_KEY] = state


def state_of(server: Flask) -> WebState:
    """The state that was attached to `server`."""
    return server.extensions[_KEY]


def state() -> WebState:
    """The state of the server that handles the current request."""
    return state_of(current_app)


def client_watch() -> Callable[[], bool]:
    """A function that says whether the client of the current request has gone away."""
    return request.environ.get("waitress.client_disconnected", lambda: False)
