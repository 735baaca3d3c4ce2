"""REST: maps of an SAE's features, and families of them."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import numpy as np
import pyarrow as pa
from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from services.errors import NotFound
from services.jobs.mapping import job_document
from services.maps.export import MEDIA_TYPES, FamilyFormat, families_file, family_document
from services.maps.requests import (
    ColourQuery,
    FamiliesQuery,
    KeepFamilies,
    MapOptions,
    MapQuery,
)
from services.runs.export import in_filename
from services.stores.arrow import RecordStream
from services.types.features import FamilySet, FeatureMap
from services.web import map_schemas as schemas
from services.web.answers import ERRORS, no_body
from services.web.arrow_answers import arrow_response
from services.web.errors import json_response
from services.web.job_schemas import JobBody
from services.web.parameters import NoParameters, SaePath
from services.web.state import state

api = APIBlueprint(
    "maps",
    __name__,
    url_prefix="/api/v1/saes",
    abp_tags=[Tag(name="maps", description="features by their decoder directions; families")],
    abp_responses=ERRORS,
)


@api.get("/<path:sae_id>/map", responses={200: schemas.FeatureMapBody})
def map_of(path: SaePath, query: schemas.MapParameters) -> Response:
    """Where the features lie: PCA at once; a UMAP once its job has made it (404 until then)."""
    asked = MapQuery.parse(query.model_dump(exclude={"format"}) | {"sae_id": path.sae_id})
    with state().place():  # principal components read the whole decoder
        found = state().container.maps.map(asked)
    if found is None:
        raise NotFound(
            f"no such UMAP of SAE {path.sae_id} was made yet: POST to this address makes it",
            sae_id=path.sae_id,
        )
    if query.format == "arrow":
        return _arrow(found)
    lists = {name: getattr(found, name).tolist() for name in ("features", "x", "y")}
    return json_response({**asdict(found), **lists})


@api.post("/<path:sae_id>/map", responses={202: JobBody})
def make_map(path: SaePath, query: NoParameters, body: MapOptions) -> Response:
    """Make a UMAP; answers at once with the job."""
    asked = MapQuery.parse(body.model_dump() | {"sae_id": path.sae_id})
    job = state().container.maps.start(asked)
    return json_response(job_document(job), HTTPStatus.ACCEPTED)


@api.get("/<path:sae_id>/map/colours", responses={200: schemas.MapColoursBody})
def colours(path: SaePath, query: schemas.ColourParameters) -> Response:
    """What the points of a map are coloured by, for each feature of the SAE."""
    asked = ColourQuery.parse(query.model_dump() | {"sae_id": path.sae_id})
    found = state().container.maps.colours(asked)
    values = [None if np.isnan(value) else value for value in found.values.tolist()]
    return json_response({**asdict(found), "values": values})


@api.get("/<path:sae_id>/families", responses={200: schemas.FamilySetBody})
def families(path: SaePath, query: schemas.FamiliesParameters) -> Response:
    """Families: components of the graph of mutual nearest neighbours, the largest first."""
    with state().place():
        found = state().container.maps.families(_asked(path, query.model_dump(exclude={"format"})))
    return _set(found, query.format)


@api.post("/<path:sae_id>/families", responses={201: schemas.FamilySetBody})
def keep(path: SaePath, query: NoParameters, body: schemas.KeepBody) -> Response:
    """Keep these families under a name."""
    request = KeepFamilies.parse(body.model_dump() | {"sae_id": path.sae_id})
    with state().place():
        found = state().container.maps.keep(request)
    return json_response(family_document(found), HTTPStatus.CREATED)


@api.get("/<path:sae_id>/families/sizes", responses={200: schemas.FamilySizesBody})
def sizes(path: SaePath, query: schemas.SizesParameters) -> Response:
    """How many families there are at a threshold, and how large; quick."""
    found = state().container.maps.sizes(_asked(path, query.model_dump()))
    by_size = {str(size): n for size, n in found.by_size.items()}
    return json_response({**asdict(found), "by_size": by_size})


@api.get("/<path:sae_id>/families/kept", responses={200: schemas.KeptSetsBody})
def kept(path: SaePath, query: NoParameters) -> Response:
    """The kept sets of families."""
    found = state().container.maps.kept(path.sae_id)
    items = [{**asdict(one), "created_at": one.created_at.isoformat()} for one in found]
    return json_response({"items": items})


@api.get("/<path:sae_id>/families/kept/<set_id>", responses={200: schemas.FamilySetBody})
def kept_set(path: schemas.KeptPath, query: schemas.KeptParameters) -> Response:
    """A kept set."""
    return _set(_kept(path), query.format)


@api.delete("/<path:sae_id>/families/kept/<set_id>", responses={204: None})
def forget(path: schemas.KeptPath, query: NoParameters) -> Response:
    """Remove a kept set."""
    no_body()
    state().container.maps.forget(str(_kept(path).set_id))
    return Response(status=HTTPStatus.NO_CONTENT)


def _asked(path: SaePath, values: dict[str, Any]) -> FamiliesQuery:
    return FamiliesQuery.parse(values | {"sae_id": path.sae_id})


def _kept(path: schemas.KeptPath) -> FamilySet:
    found = state().container.maps.kept_set(path.set_id)
    if found.sae_id != path.sae_id:
        raise NotFound(f"SAE {path.sae_id} has no kept set {path.set_id[:80]!r}")
    return found


def _set(found: FamilySet, format: FamilyFormat) -> Response:
    if format == "json":
        return json_response(family_document(found))
    response = Response(families_file(found, "csv"), content_type=MEDIA_TYPES["csv"])
    name = f"actiscope-{in_filename(found.sae_id)}-families.csv"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _arrow(found: FeatureMap) -> Response:
    table = pa.table({"feature": found.features, "x": found.x, "y": found.y})
    return arrow_response(RecordStream(table.schema, iter(table.to_batches())), found.map_id)
