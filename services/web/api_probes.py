"""REST: a feature on a text of the caller's, and the texts that are kept as its probes."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from services.probes.requests import AddProbe, ProbeQuery, TestText
from services.types.features import TestedText
from services.types.probes import Probe, ProbeReport
from services.web import probe_schemas as schemas
from services.web.answers import ERRORS, no_body
from services.web.errors import json_response
from services.web.parameters import NoParameters
from services.web.state import state

api = APIBlueprint(
    "probes",
    __name__,
    url_prefix="/api/v1/saes",
    abp_tags=[Tag(name="probes", description="features on texts of one's own")],
    abp_responses=ERRORS,
)

_FEATURE = "/<path:sae_id>/features/<int:index>"


@api.post(f"{_FEATURE}/test", responses={200: schemas.TestedBody})
def test(path: schemas.FeatureTestPath, query: NoParameters, body: schemas.TestBody) -> Response:
    """The feature's exact value at every token of a text; waits for the engine."""
    request = TestText.parse(_feature(path) | body.model_dump())
    with state().place():
        found = state().container.probes.test(request)
    return json_response(_tested(found))


@api.get(f"{_FEATURE}/probes", responses={200: schemas.ProbeReportBody})
def probes(path: schemas.FeatureTestPath, query: schemas.ThresholdParameters) -> Response:
    """The feature's probes, oldest first, with precision and recall at a threshold."""
    return json_response(_report(state().container.probes.report(_query(path, query))))


@api.get(
    f"{_FEATURE}/probes/download",
    responses={200: {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}},
)
def download(path: schemas.FeatureTestPath, query: schemas.ThresholdParameters) -> Response:
    """The feature's probes as CSV."""
    file = state().container.probes.export(_query(path, query))
    response = Response(file.content, content_type=file.media_type)
    response.headers.set("Content-Disposition", "attachment", filename=file.filename)
    return response


@api.post(f"{_FEATURE}/probes", responses={201: schemas.KeptProbeBody})
def add(path: schemas.FeatureTestPath, query: NoParameters, body: schemas.ProbeBody) -> Response:
    """Keep a text as a probe; it is measured at once if the engine has time."""
    request = AddProbe.parse(_feature(path) | body.model_dump())
    with state().place():
        made = state().container.probes.add(request)
    return json_response(_probe(made), HTTPStatus.CREATED)


@api.post(f"{_FEATURE}/probes/measure", responses={200: schemas.ProbeReportBody})
def measure(path: schemas.FeatureTestPath, query: schemas.ThresholdParameters) -> Response:
    """Measure all of the feature's probes again, with the weights that are there now."""
    no_body()
    with state().place():
        found = state().container.probes.measure(_query(path, query))
    return json_response(_report(found))


@api.delete(f"{_FEATURE}/probes/<probe_id>", responses={204: None})
def remove(path: schemas.ProbePath, query: NoParameters) -> Response:
    """Remove a probe."""
    no_body()
    state().container.probes.remove(path.sae_id, path.index, path.probe_id)
    return Response(status=HTTPStatus.NO_CONTENT)


def _feature(path: schemas.FeatureTestPath) -> dict[str, Any]:
    return {"sae_id": path.sae_id, "feature_id": path.index}


def _query(path: schemas.FeatureTestPath, query: schemas.ThresholdParameters) -> ProbeQuery:
    return ProbeQuery.parse(_feature(path) | query.model_dump())


def _tested(found: TestedText) -> dict[str, Any]:
    body = asdict(found)
    for token in body["tokens"]:
        token["token_str"] = token.pop("text")
    return body


def _probe(probe: Probe) -> dict[str, Any]:
    return asdict(probe) | {"created_at": probe.created_at.isoformat()}


def _report(found: ProbeReport) -> dict[str, Any]:
    return asdict(found) | {"n": found.n, "probes": [_probe(probe) for probe in found.probes]}
