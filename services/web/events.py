"""Server-sent events of a run: what it writes while it writes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from flask import Response, request

from services.errors import as_product_error
from services.runs.payloads import summary_document, token_document
from services.types import LiveRun
from services.web import strict_json
from services.web.state import WebState, client_watch

LOOK_S = 0.2
LOOK_ELSEWHERE_S = 0.5  # at a run of another process, whose row is read each time
HEARTBEAT_S = 10.0


def stream(web: WebState, request_id: str) -> Response:
    """The events of a run as a response that ends with the run.

    Raises:
        NotFound: no such run.
        Busy: too many are following already.
    """
    web.container.runs.live(request_id)
    give_back = web.take_place()
    follower = Follower(web, request_id, _tokens_seen())
    response = Response(follower.events(), mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # proxies must not collect events
    response.call_on_close(give_back)
    return response


def encode(event: str, data: Any, event_id: int) -> str:
    """One event in the wire format; strict JSON has no raw line breaks."""
    return f"id: {event_id}\nevent: {event}\ndata: {strict_json.dumps(data)}\n\n"


def _tokens_seen() -> int:
    last = request.headers.get("Last-Event-ID", "")
    return int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0


class Follower:
    """One client that watches one run."""

    def __init__(self, web: WebState, request_id: str, tokens_seen: int) -> None:
        self._web = web
        self._request_id = request_id
        self._sent = tokens_seen
        self._is_gone = client_watch()
        self._prompt_sent = tokens_seen > 0
        self._progress: dict[str, Any] = {}

    def events(self) -> Iterator[str]:
        """Encoded events and heartbeats until the run is final or the server closes."""
        try:
            yield from self._until_final()
        except Exception as error:  # the headers are gone: only an event can carry it
            yield encode("error", as_product_error(error).as_json(), self._sent)

    def _until_final(self) -> Iterator[str]:
        spoke_at = time.monotonic()
        while not (self._web.closing.is_set() or self._is_gone()):
            live = self._web.container.runs.live(self._request_id)
            for event in self._news(live):
                spoke_at = time.monotonic()
                yield event
            if live.status.is_final:
                yield self._done()
                return
            if time.monotonic() - spoke_at >= HEARTBEAT_S:
                spoke_at = time.monotonic()
                yield ": heartbeat\n\n"
            is_elsewhere = live.phase == "elsewhere"
            self._web.closing.wait(LOOK_ELSEWHERE_S if is_elsewhere else LOOK_S)

    def _news(self, live: LiveRun) -> Iterator[str]:
        if live.prompt_tokens and not self._prompt_sent:
            self._prompt_sent = True
            yield encode("prompt", {"tokens": _tokens(live.prompt_tokens)}, self._sent)
        if len(live.output_tokens) > self._sent:
            start, self._sent = self._sent, len(live.output_tokens)
            new = _tokens(live.output_tokens[start:])
            yield encode("tokens", {"start": start, "tokens": new}, self._sent)
        progress = _progress(live)
        if progress != self._progress:
            self._progress = progress
            rate = {"tokens_per_s": round(live.tokens_per_s, 2)}
            yield encode("progress", progress | rate, self._sent)

    def _done(self) -> str:
        summary = self._web.container.runs.summary(self._request_id)
        return encode(
            "done",
            {
                "request_id": summary.request_id,
                "status": summary.status.value,
                "error_message": summary.error_message,
                "run_summary": summary_document(summary),
            },
            self._sent,
        )


def _progress(live: LiveRun) -> dict[str, Any]:
    return {
        "status": live.status.value,
        "phase": live.phase,
        "queue_position": live.queue_position,
        "output_tokens": len(live.output_tokens),
        "max_tokens": live.max_tokens,
    }


def _tokens(tokens: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [token_document(token) for token in tokens]
