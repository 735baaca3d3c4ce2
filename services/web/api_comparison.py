"""REST: features side by side."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from flask_openapi3.types import ResponseDict

from services.comparison.markdown import as_markdown
from services.comparison.requests import CompareQuery
from services.web import map_schemas as schemas
from services.web.answers import ERRORS
from services.web.errors import json_response
from services.web.state import state

_TEXT: ResponseDict = {200: schemas.ComparisonBody}

api = APIBlueprint(
    "comparison",
    __name__,
    url_prefix="/api/v1/features",
    abp_tags=[Tag(name="comparison", description="features of one SAE or several, side by side")],
    abp_responses=ERRORS,
)


@api.get("/compare", responses=_TEXT)
def compare(query: schemas.CompareParameters) -> Response:
    """Two to six features side by side; with format=markdown as a text for notes."""
    asked = CompareQuery.parse(query.model_dump(exclude={"format"}))
    with state().place():
        found = state().container.comparisons.compare(asked)
    if query.format == "markdown":
        return Response(as_markdown(found), mimetype="text/markdown")
    return json_response(asdict(found))
