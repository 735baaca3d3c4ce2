"""REST: the evidence about one feature: statistics, examples, tokens, related features."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from services.evidence import requests
from services.web import evidence_schemas as schemas
from services.web.answers import ERRORS
from services.web.errors import json_response
from services.web.parameters import NoParameters
from services.web.state import state

api = APIBlueprint(
    "evidence",
    __name__,
    url_prefix="/api/v1/saes",
    abp_tags=[Tag(name="evidence", description="what is known of one feature, and from what")],
    abp_responses=ERRORS,
)

_FEATURE = "/<path:sae_id>/features/<int:index>"
_TEXT = {"text/markdown": {"schema": {"type": "string"}}}
_ANY = {"application/json": {"schema": {"type": "object"}}}


@api.get(_FEATURE, responses={200: schemas.FeatureViewBody})
def view(path: schemas.SaeFeaturePath, query: requests.ViewParameters) -> Response:
    """One feature: statistics with 95 % intervals, histogram, regions, warnings."""
    asked = requests.ViewQuery.of(path.sae_id, path.index, query)
    return json_response(asdict(state().container.evidence.view(asked)))


@api.get(f"{_FEATURE}/examples", responses={200: schemas.ExamplesBody})
def examples(path: schemas.SaeFeaturePath, query: requests.ExamplesParameters) -> Response:
    """Activations in their text: a page of all of them, strongest first or as asked."""
    asked = requests.ExamplesQuery.of(path.sae_id, path.index, query)
    return json_response(asdict(state().container.evidence.examples(asked)))


@api.get(f"{_FEATURE}/intervals", responses={200: schemas.IntervalsBody})
def intervals(path: schemas.SaeFeaturePath, query: requests.IntervalsParameters) -> Response:
    """Examples from every range of activation, with the tokens that tell them apart."""
    asked = requests.IntervalsQuery.of(path.sae_id, path.index, query)
    return _listed(state().container.evidence.intervals(asked))


@api.get(f"{_FEATURE}/logits", responses={200: schemas.LogitsBody})
def logits(path: schemas.SaeFeaturePath, query: NoParameters) -> Response:
    """The tokens that the feature promotes and suppresses, and its nearest directions.

    An extraction with the SAE computes them; until then there are none (404).
    """
    state().container.evidence.require(path.sae_id, path.index)
    table = state().container.decoders.require(path.sae_id)
    return json_response(asdict(table.feature(path.index)))


@api.get(f"{_FEATURE}/neighbours", responses={200: schemas.RelatedBody})
def neighbours(path: schemas.SaeFeaturePath, query: requests.NeighboursParameters) -> Response:
    """The features with the nearest decoder directions."""
    asked = requests.RelatedQuery.of(path.sae_id, path.index, query)
    return _related(asked)


@api.get(f"{_FEATURE}/coactivations", responses={200: schemas.RelatedBody})
def coactivations(path: schemas.SaeFeaturePath, query: requests.CoactivationParameters) -> Response:
    """The features that fire on the same tokens, with how many would by chance."""
    asked = requests.RelatedQuery.of(path.sae_id, path.index, query, by=query.by)
    with state().place():
        return _related(asked)


@api.get(f"{_FEATURE}/tokens", responses={200: schemas.FeatureTokensBody})
def tokens(path: schemas.SaeFeaturePath, query: requests.TokensParameters) -> Response:
    """Tokens at, before and after the activations, and PageRank of those around them."""
    asked = requests.TokensQuery.of(path.sae_id, path.index, query)
    with state().place():
        return json_response(asdict(state().container.evidence.tokens(asked)))


@api.get(f"{_FEATURE}/breakdown", responses={200: schemas.FeatureBreakdownBody})
def breakdown(path: schemas.SaeFeaturePath, query: requests.BreakdownParameters) -> Response:
    """The feature by the values of a metadata column, with lift and its 95 % interval."""
    asked = requests.BreakdownQuery.of(path.sae_id, path.index, query)
    with state().place():
        found = state().container.evidence.breakdown(asked)
    return _listed(found, column=query.column)


@api.get(f"{_FEATURE}/overview", responses={200: {"content": _TEXT | _ANY}})
def overview(path: schemas.SaeFeaturePath, query: requests.OverviewParameters) -> Response:
    """Everything in brief, as Markdown for notes or as JSON."""
    asked = requests.OverviewQuery.of(path.sae_id, path.index, query)
    with state().place():
        found = state().container.evidence.overview(asked)
    if isinstance(found, str):
        return Response(found, content_type="text/markdown; charset=utf-8")
    return json_response(found)


def _related(asked: requests.RelatedQuery) -> Response:
    return _listed(state().container.evidence.related(asked), by=asked.by)


def _listed(values: tuple[Any, ...], **more: Any) -> Response:
    return json_response({**more, "items": [asdict(value) for value in values]})
