"""REST: activation stores, by feature, by token, by document and by text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from services.store.features import SCALARS
from services.stores import requests
from services.web import store_schemas as schemas
from services.web.answers import ERRORS
from services.web.arrow_answers import ARROW, arrow_response, csv_response
from services.web.errors import json_response
from services.web.parameters import (
    NoParameters,
    StoreDocumentPath,
    StoreFeaturePath,
    StorePath,
    StoreTokenPath,
)
from services.web.state import state

api = APIBlueprint(
    "stores",
    __name__,
    url_prefix="/api/v1/stores",
    abp_tags=[Tag(name="stores", description="every activation of every feature over a corpus")],
    abp_responses=ERRORS,
)


@api.get("", responses={200: schemas.StoresBody})
def stores(query: NoParameters) -> Response:
    """The stores that can be read, also those that still fill."""
    return json_response({"items": state().container.stores.list()})


@api.get("/<store_id>/health", responses={200: schemas.StoreHealthBody})
def health(path: StorePath, query: NoParameters) -> Response:
    """How a store stands, and what it is of."""
    return json_response(asdict(state().container.stores.health(path.store_id)))


@api.get("/<store_id>/features", responses={200: schemas.StoreFeaturesBody})
def features(path: StorePath, query: requests.StoreFeaturesQuery) -> Response:
    """Features with their statistics, dead ones included: a page, or the whole table as an Arrow
    stream, with histograms and examples.

    While the store fills, n and token_density are known.
    """
    if query.format == "arrow":
        stream = state().container.stores.features_stream(path.store_id)
        return arrow_response(stream, f"{path.store_id}-features")
    if query.format == "csv":
        stream = state().container.stores.features_stream(path.store_id)
        return csv_response(stream, SCALARS, f"{path.store_id}-features")
    return json_response(asdict(state().container.stores.features(path.store_id, query)))


@api.get("/<store_id>/features/<feature>", responses={200: schemas.StoreFeatureBody})
def feature(path: StoreFeaturePath, query: requests.StoreFeatureQuery) -> Response:
    """All that is known of one feature, with the text around its examples."""
    found = state().container.stores.feature(path.store_id, path.feature, query)
    return json_response(asdict(found))


@api.get("/<store_id>/activations/<feature>", responses={200: schemas.ActivationsBody})
def activations(path: StoreFeaturePath, query: requests.ActivationsQuery) -> Response:
    """Activations of a feature by position, a page at a time, or a sample of them."""
    found = state().container.stores.activations(path.store_id, path.feature, query)
    return json_response(asdict(found))


@api.get("/<store_id>/activations/<feature>/arrow", responses=ARROW)
def activations_arrow(path: StoreFeaturePath, query: requests.ArrowQuery) -> Response:
    """All selected activations of a feature as an Arrow IPC stream: columns position (uint32),
    value (float16 or float32, as it is stored), document (uint32) if asked for.
    """
    stream = state().container.stores.activations_stream(path.store_id, path.feature, query)
    return arrow_response(stream, f"{path.store_id}-{path.feature}")


@api.get("/<store_id>/tokens/<position>", responses={200: schemas.TokensFeaturesBody})
def tokens(path: StoreTokenPath, query: requests.TokensQuery) -> Response:
    """What fires at a token, and at those after it."""
    found = state().container.stores.tokens(path.store_id, path.position, query)
    return _listed(found)


@api.get("/<store_id>/context/<position>", responses={200: schemas.StoreContextBody})
def context(path: StoreTokenPath, query: requests.ContextQuery) -> Response:
    """The text around a token, with the values of a feature if one is named."""
    return json_response(
        asdict(state().container.stores.context(path.store_id, path.position, query))
    )


@api.get("/<store_id>/context/vocab", responses={200: schemas.VocabBody})
def vocab(path: StorePath, query: requests.VocabularyQuery) -> Response:
    """Token ids by text; as Arrow all columns, with the bytes of each token."""
    found = state().container.stores.vocabulary(path.store_id)
    if query.format == "arrow":
        return arrow_response(found.stream(), f"{path.store_id}-vocabulary")
    return json_response({"vocab": found.ids_by_text()})


@api.get("/<store_id>/context/inv_vocab", responses={200: schemas.InverseVocabBody})
def inverse_vocab(path: StorePath, query: NoParameters) -> Response:
    """Token texts by id."""
    found = state().container.stores.vocabulary(path.store_id)
    return json_response({"inv_vocab": found.texts_by_id()})


@api.get("/<store_id>/documents", responses={200: schemas.StoreDocumentsBody})
def documents(path: StorePath, query: requests.DocumentsQuery) -> Response:
    """The documents, a page at a time."""
    return json_response(asdict(state().container.stores.documents(path.store_id, query)))


@api.get("/<store_id>/documents/<document>", responses={200: schemas.DocumentPartBody})
def document(path: StoreDocumentPath, query: requests.DocumentQuery) -> Response:
    """A document with some of its tokens and their text."""
    found = state().container.stores.document(path.store_id, path.document, query)
    return json_response(asdict(found))


@api.get("/<store_id>/documents/<document>/features", responses={200: schemas.DocumentFeaturesBody})
def document_features(path: StoreDocumentPath, query: requests.DocumentFeaturesQuery) -> Response:
    """The features that fire in a document."""
    found = state().container.stores.document_features(path.store_id, path.document, query)
    return json_response({"items": found.to_pylist()})


@api.get("/<store_id>/search", responses={200: schemas.SearchBody})
def search(path: StorePath, query: requests.TextQuery) -> Response:
    """Where a text stands in the corpus, and which features fire there, by lift.

    At most 10,000 matches, and 20 seconds: `next_start` says where to go on.
    """
    with state().place():
        return json_response(asdict(state().container.stores.search(path.store_id, query)))


@api.get("/<store_id>/coactivation/<feature>", responses={200: schemas.CoactivationBody})
def coactivation(path: StoreFeaturePath, query: requests.CoactivationQuery) -> Response:
    """The features that fire together with one, over the whole store."""
    with state().place():
        found = state().container.stores.coactivation(path.store_id, path.feature, query)
    columns = {name: column.tolist() for name, column in asdict(found).items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return json_response({"feature": path.feature, "measure": query.measure, "items": rows})


@api.get("/<store_id>/breakdown/<feature>", responses={200: schemas.BreakdownBody})
def breakdown(path: StoreFeaturePath, query: requests.BreakdownQuery) -> Response:
    """A feature's densities by the values of a metadata column."""
    with state().place():
        found = state().container.stores.breakdown(path.store_id, path.feature, query)
    rows = found.to_pylist()
    return json_response({"feature": path.feature, "column": query.column, "items": rows})


def _listed(values: tuple[Any, ...]) -> Response:
    return json_response({"items": [asdict(value) for value in values]})
