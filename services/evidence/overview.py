"""Everything about a feature in brief, as values; `overview_markdown` makes a page of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from services.errors import Unavailable
from services.evidence.requests import (
    ExamplesQuery,
    IntervalsQuery,
    OverviewQuery,
    RelatedQuery,
    Relation,
    TokensQuery,
    ViewQuery,
)
from services.extraction.mapping import json_values
from services.types import DecoderFeature, SaeInfo
from services.types.features import (
    EvidenceExample,
    EvidenceInterval,
    FeatureFamily,
    FeatureTokens,
    FeatureView,
    RelatedFeature,
)
from services.types.labels import FeatureMarks
from services.types.stores import StoreHealth
from services.versions import library_versions

if TYPE_CHECKING:
    from services.evidence.service import Evidence


Families = Callable[[str], Sequence[FeatureFamily]]  # of an SAE, none without a decoder table


@dataclass(frozen=True, slots=True)
class Overview:
    """What an overview is made of; what needs a store or a decoder is empty without."""

    sae: SaeInfo
    view: FeatureView
    marks: FeatureMarks
    tokens: FeatureTokens | None
    intervals: tuple[EvidenceInterval, ...]
    examples: tuple[EvidenceExample, ...]
    decoder: DecoderFeature | None
    neighbours: tuple[RelatedFeature, ...]  # by cosine
    correlated: tuple[RelatedFeature, ...]
    family: FeatureFamily | None
    provenance: dict[str, Any]
    command: str
    neuronpedia: str | None


def gathered(
    evidence: Evidence,
    query: OverviewQuery,
    sae: SaeInfo,
    marks: FeatureMarks,
    health: StoreHealth | None,
    families: Families,
) -> Overview:
    """All of it, from one store."""
    store_id = None if health is None else health.store_id
    of: dict[str, Any] = {
        "sae_id": query.sae_id, "feature_id": query.feature_id, "store_id": store_id
    }  # fmt: skip
    decoder = evidence.decoder(query.sae_id, query.feature_id)
    return Overview(
        sae=sae,
        view=evidence.view(ViewQuery(**of)),
        marks=marks,
        tokens=_tokens(evidence, query, of) if store_id else None,
        intervals=evidence.intervals(IntervalsQuery(**of)) if store_id else (),
        examples=_examples(evidence, query, of) if store_id else (),
        decoder=None if decoder is None else _cut(decoder, query.top),
        neighbours=_related(evidence, query, of, "cosine") if decoder else (),
        correlated=_related(evidence, query, of, "correlation") if store_id else (),
        family=next((f for f in families(sae.sae_id) if query.feature_id in f.features), None),
        provenance=_provenance(sae, health),
        command=_command(query),
        neuronpedia=sae.neuronpedia_url(query.feature_id),
    )


def as_document(found: Overview) -> dict[str, Any]:
    """As JSON values."""
    document: dict[str, Any] = json_values(asdict(found))
    return document


def _cut(decoder: DecoderFeature, n: int) -> DecoderFeature:
    return replace(
        decoder,
        top=decoder.top[:n],
        bottom=decoder.bottom[:n],
        neighbours=decoder.neighbours[:n],
    )


def _tokens(evidence: Evidence, query: OverviewQuery, of: dict[str, Any]) -> FeatureTokens:
    contexts = {"contexts": 0} if query.all else {}
    return evidence.tokens(TokensQuery(**of, **contexts, limit=query.top))


def _examples(
    evidence: Evidence, query: OverviewQuery, of: dict[str, Any]
) -> tuple[EvidenceExample, ...]:
    if not query.examples:
        return ()
    return evidence.examples(ExamplesQuery(**of, limit=query.examples)).items


def _related(
    evidence: Evidence, query: OverviewQuery, of: dict[str, Any], by: Relation
) -> tuple[RelatedFeature, ...]:
    try:
        return evidence.related(RelatedQuery(**of, by=by, limit=query.top))
    except Unavailable:  # the store fills
        return ()


def _provenance(sae: SaeInfo, health: StoreHealth | None) -> dict[str, Any]:
    found = {"actiscope": library_versions()["actiscope"], "sae_revision": sae.revision}
    if health is None:
        return found
    kept = {name: value for name, value in health.provenance.items() if name != "plan"}
    return found | kept | {"store_id": health.store_id, "store_version": health.version}


def _command(query: OverviewQuery) -> str:
    parts = ["actiscope", "overview", query.sae_id, str(query.feature_id)]
    if query.store_id is not None:
        parts += ["--store", query.store_id]
    if query.format == "json":
        parts += ["--format", "json"]
    defaults = OverviewQuery(sae_id=query.sae_id, feature_id=query.feature_id)
    for option in ("top", "examples"):
        if (value := getattr(query, option)) != getattr(defaults, option):
            parts += [f"--{option}", str(value)]
    return shlex.join(parts + (["--all"] if query.all else []))
