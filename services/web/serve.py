"""Serving: one process with many threads, which holds the models."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from types import FrameType
from typing import NoReturn

from flask import Flask

from services.errors import Unavailable
from services.settings import Settings
from services.web.bodies import channel_for
from services.web.guards import body_limit
from services.web.state import SERVER_THREADS, WebState, state_of

_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def serve(app_server: Flask, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then stop the runs under way and close the container.

    Prints the address once connections are accepted.

    Raises:
        Unavailable: the address is taken or not this machine's.
    """
    import waitress

    logging.basicConfig(level=settings.log_level, format=_LOG_FORMAT)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queue of one is no news
    state = state_of(app_server)
    listening = _listen(settings)
    server = waitress.create_server(
        app_server,
        sockets=[listening],
        threads=SERVER_THREADS,
        connection_limit=1000,
        channel_timeout=300,
        outbuf_overflow=2**25,  # streams wait at 16 MiB: a temporary file is never needed
        channel_request_lookahead=1,  # tells waiting requests that their client is gone
        # Larger bodies never reach the guards, which would answer them in the one error shape.
        max_request_body_size=8 * body_limit(settings),
        ident="actiscope",
    )
    server.channel_class = channel_for(settings)
    _stop_on_signals(state)
    print(f"Actiscope listens on {settings.base_url}", file=sys.stderr, flush=True)
    try:
        server.run()
    finally:
        state.closing.set()
        server.close()
        state.container.close()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise Unavailable(
            f"cannot listen on {settings.host}, port {settings.port}: {error.strerror or error}; "
            "set ACTISCOPE_PORT or ACTISCOPE_HOST to another"
        ) from None
    return listening


def _stop_on_signals(state: WebState) -> None:
    """End the event streams at once, then the server: it waits for requests under way."""

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        state.closing.set()
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
