"""REST: extractions, estimated, started, followed, cancelled, retried and removed."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, url_for
from flask_openapi3 import APIBlueprint, Tag

from services.extraction.mapping import estimate_document, extraction_document
from services.extraction.requests import ExtractionQuery, StartExtraction
from services.types import ExtractionView
from services.web import extraction_schemas as schemas
from services.web.answers import ERRORS, no_body
from services.web.errors import json_response
from services.web.extraction_schemas import ExtractionPath
from services.web.parameters import NoParameters
from services.web.state import state

api = APIBlueprint(
    "extractions",
    __name__,
    url_prefix="/api/v1/extractions",
    abp_tags=[Tag(name="extractions", description="corpora read with SAEs, every activation kept")],
    abp_responses=ERRORS,
)


@api.get("", responses={200: schemas.ExtractionsBody})
def extractions(query: ExtractionQuery) -> Response:
    """Extractions of SAEs from any source, newest first, a page at a time."""
    page = state().container.extractions.list(query)
    items = [extraction_document(view) for view in page.items]
    return json_response({"items": items, "next_cursor": page.next_cursor})


@api.post("", responses={202: schemas.StartedBody})
def start(query: NoParameters, body: StartExtraction) -> Response:
    """Read a corpus with one to fifty SAEs of one model, in one job; answers at once.

    The same `request_key` with the same body gives the extractions that exist.
    """
    return started(state().container.extractions.start(body))


@api.post("/estimate", responses={200: schemas.EstimateBody})
def estimate(query: NoParameters, body: StartExtraction) -> Response:
    """What it would take: tokens, time, memory, disk. Nothing is started."""
    with state().place():
        found = state().container.extractions.estimate(body)
    return json_response(estimate_document(found))


@api.get("/<extraction_id>", responses={200: schemas.ExtractionBody})
def show(path: ExtractionPath, query: NoParameters) -> Response:
    """An extraction as it stands."""
    found = state().container.extractions.get(path.extraction_id)
    return json_response(extraction_document(found))


@api.delete("/<extraction_id>", responses={204: None})
def delete(path: ExtractionPath, query: NoParameters) -> Response:
    """Forget an extraction, and remove its store; refused while its job is under way."""
    no_body()
    state().container.extractions.remove(path.extraction_id)
    return Response(status=HTTPStatus.NO_CONTENT)


@api.post("/<extraction_id>/cancel", responses={200: schemas.ExtractionBody})
def cancel(path: ExtractionPath, query: NoParameters) -> Response:
    """Stop an extraction's job within a batch, and with it the other extractions of the job.

    What was done is kept and can be read. A final one stays as it is.
    """
    no_body()
    found = state().container.extractions.cancel(path.extraction_id)
    return json_response(extraction_document(found))


@api.post("/<extraction_id>/retry", responses={200: schemas.ExtractionBody})
def retry(path: ExtractionPath, query: NoParameters) -> Response:
    """Queue a failed or cancelled extraction's job again: it goes on from what is kept."""
    no_body()
    found = state().container.extractions.retry(path.extraction_id)
    return json_response(extraction_document(found))


def started(views: tuple[ExtractionView, ...]) -> Response:
    """The answer to a start."""
    items = [extraction_document(view) for view in views]
    body = {"job_id": views[0].job_id, "items": items}
    response = json_response(body, HTTPStatus.ACCEPTED)
    response.headers["Location"] = url_for("extractions.show", extraction_id=views[0].extraction_id)
    return response
