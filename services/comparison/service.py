"""Features side by side, as pages and REST ask for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.comparison.choosing import Choosing
from services.comparison.gathering import Gathering, Together, histograms, of_matrix
from services.comparison.pairs import Fired, cosines
from services.comparison.requests import CompareQuery, FeatureName
from services.comparison.shared import shared_positions
from services.decoder.service import Decoders
from services.decoder.vectors import Vectors
from services.errors import Unsupported
from services.evidence.contexts import Contexts
from services.evidence.requests import ViewQuery
from services.extraction.service import Extractions
from services.extraction.sources import Sources
from services.stores.service import Stores
from services.types import TokenWeight
from services.types.features import (
    ComparedFeature,
    EvidenceExample,
    FeatureComparison,
    FeatureView,
    ScoredToken,
    SharedExample,
)

Texts = Callable[[str, Sequence[int]], dict[int, str]]


@dataclass(frozen=True)
class Parts:
    """What comparisons are made from."""

    stores: Stores
    extractions: Extractions
    sources: Sources
    decoders: Decoders
    vectors: Vectors
    view: Callable[[ViewQuery], FeatureView]
    texts: Texts  # labels of some features of an SAE


class Comparisons:
    """Compares features of one SAE or of several."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._choosing = Choosing(parts.sources, parts.extractions, parts.stores)
        self._gathering, self._contexts = Gathering(parts.stores), Contexts()

    def compare(self, query: CompareQuery) -> FeatureComparison:
        """The features side by side.

        Raises:
            NotFound: there is no such SAE, feature or store.
            InvalidArgument: a store is of none of the SAEs, or two are of the same.
        """
        features = query.features
        chosen = self._choosing.stores(features, query.store)
        together = self._gathering.together(features, chosen)
        related = together.related()
        cosine, notes = self._cosines(features)
        counts = of_matrix(related, lambda r: r.count)
        return FeatureComparison(
            features=self._features(query, chosen, together),
            cosine=cosine,
            jaccard=of_matrix(related, lambda r: r.jaccard),
            correlation=of_matrix(related, lambda r: r.correlation),
            count=tuple(tuple(None if c is None else int(c) for c in row) for row in counts),
            shared=self._shared(query, together),
            notes=(*together.notes, *notes),
            same_tokens=together.same,
        )

    def _features(
        self, query: CompareQuery, chosen: dict[str, str | None], together: Together
    ) -> tuple[ComparedFeature, ...]:
        drawn = histograms(together.fired)
        labels = self._labels(query.features)
        return tuple(
            ComparedFeature(
                sae_id=name.sae_id,
                feature_id=name.feature_id,
                view=self._view(name, chosen[name.sae_id]),
                label=labels.get(name),
                promoted=self._weights(name, "top", query.tokens),
                suppressed=self._weights(name, "bottom", query.tokens),
                distinguishing=self._gathering.distinguishing(together, i, query.tokens),
                histogram=drawn[i],
            )
            for i, name in enumerate(query.features)
        )

    def _view(self, name: FeatureName, store_id: str | None) -> FeatureView:
        return self._parts.view(ViewQuery.parse({**name._asdict(), "store_id": store_id}))

    def _labels(self, features: Sequence[FeatureName]) -> dict[FeatureName, str]:
        found: dict[FeatureName, str] = {}
        for sae_id in {name.sae_id for name in features}:
            ids = [name.feature_id for name in features if name.sae_id == sae_id]
            texts = self._parts.texts(sae_id, ids)
            found |= {FeatureName(sae_id, id): text for id, text in texts.items()}
        return found

    def _weights(self, name: FeatureName, end: str, n: int) -> tuple[ScoredToken, ...]:
        table = self._parts.decoders.get(name.sae_id)
        if table is None:
            return ()
        weights: tuple[TokenWeight, ...] = getattr(table.feature(name.feature_id), end)
        return tuple(ScoredToken(w.token_id, w.token_str, w.weight, 0) for w in weights[:n])

    def _cosines(
        self, features: Sequence[FeatureName]
    ) -> tuple[tuple[tuple[float | None, ...], ...], list[str]]:
        spaces = [self._parts.vectors.space(name.sae_id) for name in features]
        directions: list[np.ndarray | None] = []
        notes = []
        for name in features:
            try:
                directions.append(self._parts.vectors.rows(name.sae_id, [name.feature_id])[0])
            except Unsupported as error:
                directions.append(None)
                notes.append(error.message)
        if len(set(spaces)) > 1 or None in spaces:
            notes.append(
                "Cosines are of directions that are written to the same place of the same model; "
                "some of these are not"
            )
        return cosines(directions, spaces), list(dict.fromkeys(notes))

    def _shared(self, query: CompareQuery, together: Together) -> tuple[SharedExample, ...]:
        group = together.largest()
        fired = [f for i in group if (f := together.fired[i]) is not None]
        if len(fired) < query.firing or not query.shared:
            return ()
        positions, scores, values = shared_positions(fired, query.firing, query.shared)
        strongest = np.array([f.top or 1.0 for f in fired])
        lead = (values / strongest).argmax(axis=1) if len(values) else np.empty(0, np.int64)
        rows = zip(positions.tolist(), scores.tolist(), values, lead.tolist(), strict=True)
        return tuple(
            SharedExample(
                position=position,
                values=_spread(found, group, len(together.fired)),
                score=score,
                example=self._example(fired[at], position, found[at], query.width),
            )
            for position, score, found, at in rows
        )

    def _example(self, fired: Fired, position: int, value: float, width: int) -> EvidenceExample:
        where = np.array([position], np.uint32)
        values = np.array([value], np.float32)
        return self._contexts.examples(fired.reading, fired.found, where, values, width)[0]


def _spread(values: np.ndarray, group: Sequence[int], n: int) -> tuple[float | None, ...]:
    """The values of a group's features, at their places among all."""
    by_feature = dict(zip(group, values.tolist(), strict=True))
    return tuple(by_feature.get(i) for i in range(n))
