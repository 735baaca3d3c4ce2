"""REST: the SAEs of this server, what could be added, and sae-lens' catalogue."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from services.registry.documents import (
    candidate_document,
    catalogue_document,
    preflight_document,
    sae_document,
)
from services.registry.requests import AddSaes, LookRequest, SaeQuery, SearchQuery
from services.web import registry_schemas as schemas
from services.web.answers import ERRORS, no_body
from services.web.api_tasks import accepted
from services.web.errors import json_response
from services.web.parameters import DeleteParameters, NoParameters, PreflightParameters, SaePath
from services.web.state import state

api = APIBlueprint(
    "saes",
    __name__,
    url_prefix="/api/v1/saes",
    abp_tags=[Tag(name="saes", description="find, register, measure and remove SAEs")],
    abp_responses=ERRORS,
)


@api.get("", responses={200: schemas.SaesBody})
def saes(query: SaeQuery) -> Response:
    """The SAEs that pass the filters, by model, layer and id."""
    cards = state().container.registry.saes(query)
    return json_response({"items": [sae_document(card) for card in cards]})


@api.post("", responses={202: schemas.TaskBody})
def add(query: NoParameters, body: AddSaes) -> Response:
    """Register SAEs and measure them; answers at once with the task that does it."""
    return accepted(state().container.registry.add_saes(body))


@api.post("/look", responses={200: schemas.CandidatesBody})
def look(query: NoParameters, body: LookRequest) -> Response:
    """What could be added from a folder or a repository; nothing is added."""
    with state().place():
        found = state().container.registry.look(body)
    return json_response({"items": [candidate_document(candidate) for candidate in found]})


@api.get("/catalogue", responses={200: schemas.CatalogueBody})
def catalogue(query: SearchQuery) -> Response:
    """Search sae-lens' list of pretrained SAEs; works offline."""
    page = state().container.registry.search(query.q, query.limit, query.offset)
    return json_response(catalogue_document(page))


@api.get("/<path:sae_id>", responses={200: schemas.SaeCardBody})
def show(path: SaePath, query: NoParameters) -> Response:
    """An SAE with its newest preflight."""
    return json_response(sae_document(state().container.registry.sae(path.sae_id)))


@api.delete("/<path:sae_id>", responses={204: None})
def delete(path: SaePath, query: DeleteParameters) -> Response:
    """Take an SAE out of use; with `with_files=true` forget it and remove its files.

    Refused while it is in use, and with its files as long as something depends on it.
    """
    no_body()
    state().container.registry.delete_sae(path.sae_id, query.with_files)
    return Response(status=HTTPStatus.NO_CONTENT)


@api.get("/<path:sae_id>/preflights", responses={200: schemas.PreflightsBody})
def preflights(path: SaePath, query: NoParameters) -> Response:
    """What was measured of an SAE, newest first."""
    reports = state().container.registry.preflights(path.sae_id)
    return json_response({"items": [preflight_document(report) for report in reports]})


@api.post("/<path:sae_id>/preflight", responses={202: schemas.TaskBody})
def preflight(path: SaePath, query: PreflightParameters) -> Response:
    """Measure an SAE with its model, or with `model_id`; answers at once with the task."""
    no_body()
    return accepted(state().container.registry.preflight(path.sae_id, query.model_id))


@api.post("/<path:sae_id>/restore", responses={200: schemas.SaeCardBody})
def restore(path: SaePath, query: NoParameters) -> Response:
    """Put a deleted SAE into use again."""
    no_body()
    return json_response(sae_document(state().container.registry.restore_sae(path.sae_id)))
