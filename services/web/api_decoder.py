"""REST: what the decoder of an SAE says about its features."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from services.decoder.table import DecoderTable
from services.errors import TooLarge
from services.stores.arrow import RecordStream
from services.web import decoder_schemas as schemas
from services.web.answers import ERRORS
from services.web.arrow_answers import arrow_response
from services.web.errors import json_response
from services.web.parameters import NoParameters, SaePath
from services.web.state import state

_JSON_ROWS, _JSON_MAX = 100, 1000

api = APIBlueprint(
    "decoder",
    __name__,
    url_prefix="/api/v1/saes",
    abp_tags=[Tag(name="decoder", description="logit weights and neighbours of features")],
    abp_responses=ERRORS,
)


@api.get("/<path:sae_id>/decoder", responses={200: schemas.DecoderBody})
def decoder(path: SaePath, query: schemas.DecoderParameters) -> Response:
    """Logit weights and neighbours of all features: a page, or all as an Arrow stream.

    An extraction with the SAE computes them; until then there are none (404).
    """
    table = state().container.decoders.require(path.sae_id)
    if query.format == "arrow":
        batches = table.batches(query.offset, query.limit or table.info.d_sae)
        return arrow_response(RecordStream(table.schema, batches), f"{path.sae_id}-decoder")
    return json_response(_page(table, query))


@api.get("/<path:sae_id>/decoder/<int:feature>", responses={200: schemas.DecoderFeatureBody})
def feature(path: schemas.DecoderFeaturePath, query: NoParameters) -> Response:
    """One feature's logit weights and neighbours."""
    table = state().container.decoders.require(path.sae_id)
    return json_response(asdict(table.feature(path.feature)))


def _page(table: DecoderTable, query: schemas.DecoderParameters) -> dict[str, object]:
    limit = query.limit or _JSON_ROWS
    if limit > _JSON_MAX:
        raise TooLarge(
            f"limit {limit} is more than the {_JSON_MAX} features of a page of JSON: ask for "
            "format=arrow, or page by offset",
            limit=limit,
        )
    items = table.features(query.offset, limit)
    end = query.offset + len(items)
    following = end if items and end < table.info.d_sae else None
    return {
        **asdict(table.info),
        "items": [asdict(item) for item in items],
        "next_offset": following,
    }
