"""Which tokens a feature fires at, and which stand before and after; all activations are read."""

from __future__ import annotations

import numpy as np

from services.evidence.page_rank import ranked
from services.evidence.requests import TokensQuery
from services.evidence.tf_idf import looked_up
from services.features.token_counts import TokenCounts
from services.store import Activations, ActivationStore
from services.store.values import widened
from services.stores.contexts import token_names
from services.stores.reading import Reading
from services.types.features import FeatureTokens, TokenUse


def tokens(reading: Reading, query: TokensQuery, counts: TokenCounts | None) -> FeatureTokens:
    """What docs/statistics.md defines; `fires` and `lift` need the corpus' `counts`."""
    store, found = reading.store, reading.store.feature(query.feature_id)
    use = _Use(reading, counts, found, query.limit)
    at = np.arange(len(found))
    graph, n_ranked = ranked(reading, found, query.width, query.contexts, query.limit)
    return FeatureTokens(
        n=len(found),
        n_read=len(found),
        at=use.listed(at, 0),
        before=use.listed(_inside(store, found, -1), -1),
        after=use.listed(_inside(store, found, 1), 1),
        page_rank=graph,
        n_ranked=n_ranked,
    )


def _inside(store: ActivationStore, found: Activations, step: int) -> np.ndarray:
    """The activations whose neighbour is in the same document."""
    other = found.positions.astype(np.int64) + step
    there = (other >= 0) & (other < store.n_tokens)
    other = np.where(there, other, 0)
    return np.flatnonzero(
        there & (store.documents_at(other) == store.documents_at(found.positions))
    )


class _Use:
    """Tokens of one feature, counted."""

    def __init__(
        self, reading: Reading, counts: TokenCounts | None, found: Activations, limit: int
    ) -> None:
        self._reading, self._counts, self._found, self._limit = reading, counts, found, limit

    def listed(self, chosen: np.ndarray, step: int) -> tuple[TokenUse, ...]:
        """The tokens `step` away from the `chosen` activations, the commonest first."""
        if not len(chosen):
            return ()
        found = self._found
        positions = (found.positions[chosen].astype(np.int64) + step).astype(np.uint32)
        ids, place = np.unique(self._reading.store.token_ids_at(positions), return_inverse=True)
        n = np.bincount(place)
        sums = np.bincount(place, widened(found.values[chosen]).astype(np.float64))
        order = np.lexsort((ids, -sums / n, -n))[: self._limit]
        return self._uses(ids[order].astype(np.int64), n[order], (sums / n)[order], step == 0)

    def _uses(
        self, ids: np.ndarray, n: np.ndarray, mean: np.ndarray, is_at: bool
    ) -> tuple[TokenUse, ...]:
        share = n / len(self._found)
        fires, lift = self._against_the_corpus(ids, n, share)
        names = token_names(self._reading, ids)
        columns = (ids.tolist(), names, n.tolist(), share.tolist(), mean.tolist(), fires, lift)
        uses = (TokenUse(*row) for row in zip(*columns, strict=True))
        if is_at:
            return tuple(uses)
        return tuple(_without_fires(use) for use in uses)

    def _against_the_corpus(
        self, ids: np.ndarray, n: np.ndarray, share: np.ndarray
    ) -> tuple[list[float | None], list[float | None]]:
        if self._counts is None:
            return [None] * len(ids), [None] * len(ids)
        corpus = looked_up(self._counts.count, ids)
        known = corpus > 0
        there = np.maximum(corpus, 1)
        fires = [float(v) if k else None for v, k in zip(n / there, known, strict=True)]
        usual = there / max(self._counts.n_counted, 1)
        return fires, [float(v) if k else None for v, k in zip(share / usual, known, strict=True)]


def _without_fires(use: TokenUse) -> TokenUse:
    return TokenUse(use.token_id, use.text, use.count, use.share, use.mean, None, use.lift)
