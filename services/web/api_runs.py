"""REST: start runs, list them, follow them, change them."""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import Any

from flask import Response, request, url_for
from flask_openapi3 import APIBlueprint, Tag

from services.errors import InvalidArgument, failure_of
from services.runs.analysis import row_columns
from services.runs.payloads import output_document, run_document, summary_document
from services.runs.queries import RowQuery, RunQuery
from services.runs.request import RunRequest
from services.types import RunStatus, RunSummary, RunView
from services.web import events, schemas
from services.web.answers import ERRORS, no_body, rows_document
from services.web.errors import json_response, respond
from services.web.parameters import NoParameters, NotesBody, RunPath
from services.web.state import client_watch, state

PREVIEW_ROWS = 20_000
_RESERVED_IDS = frozenset({"run", "runs", "extract", "health"})
_LOOK_S = 1.0  # how often a waiting request looks whether its client is still there

api = APIBlueprint(
    "runs",
    __name__,
    url_prefix="/api/v1/playground/activations",
    abp_tags=[Tag(name="runs", description="start, follow, list and change runs")],
    abp_responses=ERRORS,
)


@api.post("/run", responses={200: schemas.RunBody, 202: schemas.RunBody})
def run(query: NoParameters, body: RunRequest) -> Response:
    """Run a prompt; answers when it is done, or at once with `Prefer: respond-async`.

    `Prefer: wait=10` answers after at most ten seconds. A run that is not final is answered with
    202 and its address in Location. A run that failed is answered as an error and stays stored.
    """
    if body.request_id in _RESERVED_IDS:
        raise InvalidArgument(f"request_id: {body.request_id!r} is an address of this API")
    return _started(lambda: state().container.runs.start(body))


@api.post("/<request_id>/rerun", responses={200: schemas.RunBody, 202: schemas.RunBody})
def rerun(path: RunPath, query: NoParameters) -> Response:
    """Run the same request again as a new run; answers as `run` does."""
    no_body()
    return _started(lambda: state().container.runs.rerun(path.request_id))


@api.get("/runs", responses={200: schemas.RunPageBody})
def list_runs(query: RunQuery) -> Response:
    """Runs, newest first; `next_cursor` asks for the next page."""
    page = state().container.runs.list(query)
    return json_response(
        {"items": [summary_document(s) for s in page.items], "next_cursor": page.next_cursor}
    )


@api.get("/<request_id>", responses={200: schemas.RunDocument})
def show(path: RunPath, query: NoParameters) -> Response:
    """Everything of a run: prompt, output, tokens, features, request, provenance."""
    return json_response(run_document(state().container.runs.view(path.request_id)))


@api.get("/<request_id>/summary", responses={200: schemas.RunSummaryBody})
def summary(path: RunPath, query: NoParameters) -> Response:
    """The run's line of the list."""
    return json_response(summary_document(state().container.runs.summary(path.request_id)))


@api.get(
    "/<request_id>/events",
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
def follow(path: RunPath, query: NoParameters) -> Response:
    """Server-sent events while the run is under way; ends after its final status.

    `prompt` {tokens}, `tokens` {start, tokens}, `progress` {status, phase, queue_position,
    output_tokens, max_tokens, tokens_per_s}, `done` {request_id, status, error_message,
    run_summary}, `error` (the one error shape). Comments keep the connection alive. The id of an
    event is the number of output tokens sent so far: `Last-Event-ID` continues from there.
    """
    return events.stream(state(), path.request_id)


@api.post("/<request_id>/cancel", responses={200: schemas.RunSummaryBody})
def cancel(path: RunPath, query: NoParameters) -> Response:
    """Stop the run; what it wrote is kept. A finished run stays as it is."""
    no_body()
    return json_response(summary_document(state().container.runs.cancel(path.request_id)))


@api.patch("/<request_id>", responses={200: schemas.RunSummaryBody})
def change(path: RunPath, query: NoParameters, body: NotesBody) -> Response:
    """Replace the run's notes."""
    changed = state().container.runs.set_notes(path.request_id, body.notes)
    return json_response(summary_document(changed))


@api.delete("/<request_id>", responses={204: None})
def delete(path: RunPath, query: NoParameters) -> Response:
    """Remove a finished run and all that belongs to it."""
    no_body()
    state().container.runs.delete(path.request_id)
    return Response(status=HTTPStatus.NO_CONTENT)


def _started(start: Any) -> Response:
    """The answer to a run that `start` begins: complete when the caller waits for it."""
    patience_s = patience(request.headers.get("Prefer", ""))
    if patience_s == 0:
        return _answer(start(), waited=False)
    with state().place():  # taken first, so that a refused request leaves no run behind
        begun: RunSummary = start()
        return _answer(_wait(begun.request_id, patience_s), waited=True)


def patience(prefer: str) -> float | None:
    """Seconds that the caller waits, by the Prefer header (RFC 7240); None for until it is done."""
    if re.search(r"(^|,)\s*respond-async\s*(,|;|$)", prefer, re.IGNORECASE):
        return 0
    wait = re.search(r"(^|,)\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(,|;|$)", prefer, re.IGNORECASE)
    return float(wait.group(2)) if wait else None


def _wait(request_id: str, patience_s: float | None) -> RunSummary:
    """The run once it is final; earlier when the patience, the client or the server is gone."""
    web = state()
    is_gone = client_watch()
    deadline = None if patience_s is None else time.monotonic() + patience_s
    while True:
        left = _LOOK_S if deadline is None else min(_LOOK_S, max(deadline - time.monotonic(), 0))
        found = web.container.runs.wait(request_id, left)
        late = deadline is not None and time.monotonic() >= deadline
        if found.status.is_final or late or is_gone() or web.closing.is_set():
            return found


def _answer(found: RunSummary, *, waited: bool) -> Response:
    address = url_for("runs.show", request_id=found.request_id)
    if found.status is RunStatus.ERROR:
        response = respond(failure_of(state().container.runs.view(found.request_id)))
    elif found.status.is_final:
        response = json_response(_complete(state().container.runs.view(found.request_id)))
    else:
        response = json_response(_document(found, None, None), HTTPStatus.ACCEPTED)
        response.headers["Preference-Applied"] = "wait" if waited else "respond-async"
    response.headers["Location"] = address
    return response


def _complete(view: RunView) -> dict[str, Any]:
    """The answer to a finished run; of a long one the preview holds the strongest ranks only."""
    positions = max(1, len(view.tokens) * max(1, len(view.timelines)))
    ranks = min(200, max(1, PREVIEW_ROWS // positions))
    rows = row_columns(view, RowQuery(rank_max=ranks)).rows(0, None)
    preview = {"events": [], "actions": [], "activation_rows": rows_document(rows)}
    return _document(view.summary, output_document(view), preview)


def _document(found: RunSummary, output: Any, preview: Any) -> dict[str, Any]:
    return {
        "request_id": found.request_id,
        "status": found.status.value,
        "run_summary": summary_document(found),
        "output": output,
        "preview": preview,
        "created_at": found.created_at.isoformat(),
    }
