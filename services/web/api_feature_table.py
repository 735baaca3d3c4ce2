"""REST: the table of an SAE's features, by page and as a file."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag
from flask_openapi3.types import ResponseDict

from services.features.export import FeatureFile, row
from services.features.requests import FeaturePart, FeatureTableQuery
from services.stores.arrow import MEDIA_TYPE
from services.types.features import FeatureTablePage
from services.web import feature_table_schemas as schemas
from services.web.answers import ERRORS
from services.web.errors import json_response
from services.web.parameters import NoParameters, SaePath
from services.web.state import state

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES: ResponseDict = {
    200: {"content": {"text/csv": _BINARY, "application/json": _BINARY, MEDIA_TYPE: _BINARY}}
}

api = APIBlueprint(
    "feature_table",
    __name__,
    url_prefix="/api/v1",
    abp_tags=[Tag(name="features", description="features of an SAE: table, evidence, labels")],
    abp_responses=ERRORS,
)


@api.get("/saes/<path:sae_id>/features", responses={200: schemas.FeatureTableBody})
def features(path: SaePath, query: schemas.FeatureTableParameters) -> Response:
    """Features, sorted, filtered and searched over the whole SAE.

    Statistics are of the SAE's newest complete extraction, or of the one named by `store_id`.
    """
    page = state().container.features.page(_query(path, query, "format"))
    return json_response(_document(page, query))


@api.get("/saes/<path:sae_id>/features/export", responses=_FILES)
def export(path: SaePath, query: schemas.ExportParameters) -> Response:
    """All features that pass, in order: as CSV, JSON or an Arrow stream."""
    tables = state().container.features
    return _sent(tables.export(_query(path, query, "format"), query.format))


@api.get("/features/columns", responses={200: schemas.ColumnsBody})
def columns(query: NoParameters) -> Response:
    """The columns of the table, with what they mean."""
    found = state().container.features.columns()
    return json_response({"items": [asdict(column) for column in found]})


def _query(path: SaePath, query: Any, *without: str) -> FeatureTableQuery:
    given = query.model_dump(exclude_unset=True, exclude=set(without))
    return FeatureTableQuery.parse({**given, "sae_id": path.sae_id})


def _document(page: FeatureTablePage, query: FeaturePart) -> dict[str, Any]:
    end = query.offset + len(page.items)
    has_offset = page.next_cursor is not None and query.cursor is None
    return {
        "sae_id": page.sae_id,
        "store_id": page.source and page.source.store_id,
        "is_complete": page.source is not None and page.source.is_complete,
        "items": [row(line) for line in page.items],
        "total": page.total,
        "n_features": page.n_features,
        "next_offset": end if has_offset else None,
        "next_cursor": page.next_cursor,
    }


def _sent(file: FeatureFile) -> Response:
    """A file that is made while it is sent."""
    give_back = state().take_place()
    response = Response(file.chunks, content_type=file.media_type)
    response.call_on_close(give_back)
    response.headers.set("Content-Disposition", "attachment", filename=file.filename)
    return response
