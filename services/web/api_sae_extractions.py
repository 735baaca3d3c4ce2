"""REST: the extraction that finds an SAE's features; addresses of the first design."""

from __future__ import annotations

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from services.errors import NotFound
from services.extraction.mapping import extraction_document
from services.extraction.requests import ExtractOne, StartExtraction
from services.types import ExtractionView
from services.web import extraction_schemas as schemas
from services.web.answers import ERRORS, no_body
from services.web.api_extractions import started
from services.web.errors import json_response
from services.web.parameters import NoParameters, SaePath
from services.web.state import state

api = APIBlueprint(
    "sae_extractions",
    __name__,
    url_prefix="/api/v1/saes",
    abp_tags=[Tag(name="extractions", description="corpora read with SAEs, every activation kept")],
    abp_responses=ERRORS,
)


@api.post("/<path:sae_id>/extract-features", responses={202: schemas.StartedBody})
def extract(path: SaePath, query: NoParameters, body: ExtractOne) -> Response:
    """Read a corpus with an SAE; answers at once with the extraction."""
    values = body.model_dump(exclude_unset=True) | {"sae_ids": (path.sae_id,)}
    return started(state().container.extractions.start(StartExtraction.parse(values)))


@api.get("/<path:sae_id>/extraction-status", responses={200: schemas.ExtractionBody})
def status(path: SaePath, query: NoParameters) -> Response:
    """The SAE's newest extraction as it stands."""
    return json_response(extraction_document(_latest(path.sae_id)))


@api.post("/<path:sae_id>/cancel-extraction", responses={200: schemas.ExtractionBody})
def cancel(path: SaePath, query: NoParameters) -> Response:
    """Stop the SAE's newest extraction; what was done is kept and can be read."""
    no_body()
    found = state().container.extractions.cancel(_latest(path.sae_id).extraction_id)
    return json_response(extraction_document(found))


def _latest(sae_id: str) -> ExtractionView:
    view = state().container.extractions.latest(sae_id)
    if view is None:
        raise NotFound(
            f"SAE {sae_id} has no extraction yet: start one with extract-features", sae_id=sae_id
        )
    return view
