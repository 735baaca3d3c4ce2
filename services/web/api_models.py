"""REST: the models of this server."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from services.registry.documents import model_document
from services.registry.requests import AddModel
from services.web import registry_schemas as schemas
from services.web.answers import ERRORS, no_body
from services.web.api_tasks import accepted
from services.web.errors import json_response
from services.web.parameters import DeleteParameters, ListParameters, ModelPath, NoParameters
from services.web.state import state

api = APIBlueprint(
    "models",
    __name__,
    url_prefix="/api/v1/models",
    abp_tags=[Tag(name="models", description="register, load and remove models")],
    abp_responses=ERRORS,
)


@api.get("", responses={200: schemas.ModelsBody})
def models(query: ListParameters) -> Response:
    """The models of this server with their SAEs, the default one first."""
    cards = state().container.registry.models(query.include_deleted)
    return json_response({"items": [model_document(card) for card in cards]})


@api.post("", responses={202: schemas.TaskBody})
def add(query: NoParameters, body: AddModel) -> Response:
    """Register a model of the hub or a folder; answers at once with the task that does it."""
    return accepted(state().container.registry.add_model(body))


@api.get("/<path:model_id>", responses={200: schemas.ModelBody})
def show(path: ModelPath, query: NoParameters) -> Response:
    """A model with its SAEs."""
    return json_response(model_document(state().container.registry.model(path.model_id)))


@api.delete("/<path:model_id>", responses={204: None})
def delete(path: ModelPath, query: DeleteParameters) -> Response:
    """Take a model out of use; with `with_files=true` forget it and remove what was downloaded.

    Refused while it is in use, and with its files as long as something depends on it.
    """
    no_body()
    state().container.registry.delete_model(path.model_id, query.with_files)
    return Response(status=HTTPStatus.NO_CONTENT)


@api.post("/<path:model_id>/load", responses={202: schemas.TaskBody})
def load(path: ModelPath, query: NoParameters) -> Response:
    """Bring a model into memory; answers at once with the task that does it."""
    no_body()
    return accepted(state().container.registry.load_model(path.model_id))


@api.post("/<path:model_id>/unload", responses={200: schemas.ModelBody})
def unload(path: ModelPath, query: NoParameters) -> Response:
    """Take a model out of memory."""
    no_body()
    return json_response(model_document(state().container.registry.unload_model(path.model_id)))


@api.post("/<path:model_id>/restore", responses={200: schemas.ModelBody})
def restore(path: ModelPath, query: NoParameters) -> Response:
    """Put a deleted model into use again."""
    no_body()
    return json_response(model_document(state().container.registry.restore_model(path.model_id)))
