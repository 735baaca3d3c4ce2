"""REST: what fired in a run, as rows, rankings, changes, files and code; and `extract`."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from services.runs.payloads import features_document
from services.runs.queries import DeltaQuery, ExtractRequest, TopQuery
from services.web import schemas
from services.web.answers import ERRORS, rows_document
from services.web.errors import json_response
from services.web.parameters import (
    CodeParameters,
    DownloadParameters,
    NoParameters,
    RowsParameters,
    RunPath,
)
from services.web.state import state

_BINARY = {"schema": {"type": "string", "format": "binary"}}

api = APIBlueprint(
    "features",
    __name__,
    url_prefix="/api/v1/playground/activations",
    abp_tags=[Tag(name="features", description="what fired in a run")],
    abp_responses=ERRORS,
)


@api.get("/<request_id>/rows", responses={200: schemas.RowsBody})
def rows(path: RunPath, query: RowsParameters) -> Response:
    """Activation rows by position and rank, a page of them; `total` says how many there are."""
    found, total = state().container.runs.rows(path.request_id, query)
    end = query.offset + len(found)
    return json_response(
        {
            "request_id": path.request_id,
            "row_count": len(found),
            "total": total,
            "next_offset": end if found and end < total else None,
            "rows": rows_document(found),
        }
    )


@api.get("/<request_id>/top-features", responses={200: schemas.TopFeaturesBody})
def top_features(path: RunPath, query: TopQuery) -> Response:
    """The strongest features by maximum, then hits; BOS and template tokens only when asked."""
    found = state().container.runs.top_features(path.request_id, query)
    return json_response({"request_id": path.request_id, "items": [asdict(f) for f in found]})


@api.get("/<request_id>/feature-deltas", responses={200: schemas.FeatureDeltasBody})
def feature_deltas(path: RunPath, query: DeltaQuery) -> Response:
    """A feature's value at every position and its change, against the position before it or
    against the aligned position of a baseline run."""
    found = state().container.runs.deltas(path.request_id, query)
    return json_response(
        {
            "request_id": path.request_id,
            "sae_id": found.sae_id,
            "feature_id": found.feature_id,
            "baseline": query.baseline,
            "items": [asdict(point) for point in found.points],
        }
    )


@api.get(
    "/<request_id>/code",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def code(path: RunPath, query: CodeParameters) -> Response:
    """The run as a Python script or a curl command."""
    text = state().container.runs.code(path.request_id, query.language)
    return Response(text, mimetype="text/plain")


@api.get(
    "/<request_id>/download",
    responses={
        200: {
            "content": {
                "text/csv": _BINARY,
                "application/vnd.apache.parquet": _BINARY,
                "application/json": {"schema": {"type": "object"}},
            }
        }
    },
)
def download(path: RunPath, query: DownloadParameters) -> Response:
    """Rows or top features as CSV or Parquet, or the whole run as JSON."""
    file = state().container.runs.export(path.request_id, query.what, query.format, query.query())
    response = Response(file.content, content_type=file.media_type)
    response.headers.set("Content-Disposition", "attachment", filename=file.filename)
    return response


@api.post("/extract", responses={200: schemas.ExtractBody})
def extract(query: NoParameters, body: ExtractRequest) -> Response:
    """Token ids in, features out; nothing is stored."""
    with state().place():
        timelines, tokens = state().container.runs.extract(body)
    features = [features_document(timeline, tokens) for timeline in timelines]
    usable = [document for document in features if document["error"] is None]
    return json_response(
        {
            "status": "ok",
            "feature_timeline": usable[0]["feature_timeline"] if usable else [],
            "features": features,
        }
    )
