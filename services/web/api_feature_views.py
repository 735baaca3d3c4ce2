"""REST: saved views of the table of an SAE's features."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from services.features.views import SaveView, ViewBody
from services.types.labels import SavedView
from services.web.answers import ERRORS, no_body
from services.web.errors import json_response
from services.web.parameters import NoParameters, SaePath
from services.web.state import state

api = APIBlueprint(
    "feature_views",
    __name__,
    url_prefix="/api/v1/saes",
    abp_tags=[Tag(name="features", description="features of an SAE: table, evidence, labels")],
    abp_responses=ERRORS,
)


class ViewPath(SaePath):
    """A saved view of an SAE."""

    view_id: str


class SavedViewBody(BaseModel):
    """A kept selection of the table of features."""

    view_id: str
    sae_id: str
    name: str
    state: dict[str, Any] = Field(description="what the address of the table carries")
    author: str
    created_at: str


class SavedViewsBody(BaseModel):
    """The saved views of an SAE."""

    items: list[SavedViewBody] = Field(description="by name")


@api.get("/<path:sae_id>/views", responses={200: SavedViewsBody})
def views(path: SaePath, query: NoParameters) -> Response:
    """The views of an SAE."""
    found = state().container.views.list(path.sae_id)
    return json_response({"items": [_document(view) for view in found]})


@api.post("/<path:sae_id>/views", responses={201: SavedViewBody})
def save(path: SaePath, query: NoParameters, body: ViewBody) -> Response:
    """Keep a view."""
    request = SaveView.parse(body.model_dump() | {"sae_id": path.sae_id})
    return json_response(_document(state().container.views.save(request)), HTTPStatus.CREATED)


@api.get("/<path:sae_id>/views/<view_id>", responses={200: SavedViewBody})
def show(path: ViewPath, query: NoParameters) -> Response:
    """A view."""
    return json_response(_document(state().container.views.get(path.sae_id, path.view_id)))


@api.delete("/<path:sae_id>/views/<view_id>", responses={204: None})
def remove(path: ViewPath, query: NoParameters) -> Response:
    """Forget a view."""
    no_body()
    state().container.views.remove(path.sae_id, path.view_id)
    return Response(status=HTTPStatus.NO_CONTENT)


def _document(view: SavedView) -> dict[str, Any]:
    return {
        "view_id": view.view_id,
        "sae_id": view.sae_id,
        "name": view.name,
        "state": dict(view.state),
        "author": view.author,
        "created_at": view.created_at.isoformat(),
    }
