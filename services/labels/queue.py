"""Which feature to label next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

import numpy as np

from services.errors import Unsupported
from services.labels.requests import QueueQuery
from services.labels.snapshot import LabelSnapshot
from services.labels.statistics import Statistics
from services.labels.store import LabelStore
from services.types.labels import FeatureMarks, QueueItem

_COLUMNS = {"n": "n", "density": "token_density", "max": "max"}
_WORDS = {
    "n": "{value:,.0f} activations",
    "density": "fires on {value:.4%} of the tokens",
    "max": "activations up to {value:.4g}",
}

Ordered = tuple[np.ndarray, Callable[[int], str]]  # features, and why one is where it is


class Queue:
    """Features in an order, without those that need no label."""

    def __init__(self, store: LabelStore, statistics: Statistics) -> None:
        self._store = store
        self._statistics = statistics

    def next(self, query: QueueQuery, snapshot: LabelSnapshot) -> QueueItem | None:
        """The first feature of the order, or the one that follows `query.after`.

        Raises:
            Unsupported: the order needs a store, and there is none.
        """
        order, reason = self._order(query)
        waiting = order[~np.isin(order, _left_out(query, snapshot))]
        following = waiting
        if query.after is not None and (place := np.flatnonzero(order == query.after)).size:
            rest = order[place[0] + 1 :]
            following = waiting[np.isin(waiting, rest)]
        if not following.size:
            return None
        feature_id = int(following[0])
        marks = snapshot.marks.get(feature_id) or FeatureMarks(feature_id)
        return QueueItem(query.sae_id, feature_id, reason(feature_id), len(waiting), marks)

    def _order(self, query: QueueQuery) -> Ordered:
        if query.order in _COLUMNS:
            return self._by_column(query)
        if query.order == "random":
            return self._by_chance(query)
        if query.order == "disagreement":
            return self._by_disagreement(query)
        return self._by_family(query)

    def _by_column(self, query: QueueQuery) -> Ordered:
        values = self._statistics.column(query.sae_id, query.store_id, _COLUMNS[query.order])
        if values is None:
            raise Unsupported(
                f"the order {query.order!r} needs statistics, and SAE {query.sae_id} has read no "
                "corpus yet: start an extraction, or take the order 'random'"
            )
        order = np.argsort(-values, kind="stable")
        order = order[values[order] > 0]  # a dead feature has nothing to look at
        words = _WORDS[query.order]

        def reason(feature: int) -> str:
            value = words.format(value=values[feature])
            rank = int(np.flatnonzero(order == feature)[0]) + 1
            return f"{value}: number {rank:,} of {len(order):,} live features"

        return order, reason

    def _by_chance(self, query: QueueQuery) -> Ordered:
        counts = self._statistics.column(query.sae_id, query.store_id, "n")
        if counts is None:
            features = np.arange(self._store.sae(query.sae_id).d_sae)
        else:
            features = np.flatnonzero(counts)
        order = np.random.default_rng(query.seed).permutation(features)
        return order, lambda feature: f"by chance (seed {query.seed})"

    def _by_disagreement(self, query: QueueQuery) -> Ordered:
        differing = self._store.disagreeing(query.sae_id)
        order = sorted(differing, key=lambda feature: (-differing[feature], feature))
        return np.array(order, np.int64), lambda feature: f"{differing[feature]} labels that differ"

    def _by_family(self, query: QueueQuery) -> Ordered:
        counts = self._statistics.column(query.sae_id, query.store_id, "n")
        families = self._statistics.families(query.sae_id)
        if not families:
            raise Unsupported(
                f"SAE {query.sae_id} has no families: no two features write nearly the same, or "
                "its decoder was not looked at yet (an extraction does)"
            )
        ranked = [_strongest_first(family, counts) for family in families]
        order = [f for round in zip_longest(*ranked) for f in round if f is not None]
        number = {f: i for i, family in enumerate(families, 1) for f in family}
        sizes = [len(family) for family in families]
        return (
            np.array(order, np.int64),
            lambda feature: (
                f"of family {number[feature]}, which has {sizes[number[feature] - 1]:,} features"
            ),
        )


def _left_out(query: QueueQuery, snapshot: LabelSnapshot) -> np.ndarray:
    """Skipped features, and labelled ones unless they are asked for."""
    with_labelled = query.include_labelled or query.order == "disagreement"
    found = [
        id
        for id, marks in snapshot.marks.items()
        if marks.skipped is not None or (marks.label is not None and not with_labelled)
    ]
    return np.array(found, np.int64)


def _strongest_first(family: Sequence[int], counts: np.ndarray | None) -> list[int]:
    if counts is None:
        return list(family)
    return sorted((f for f in family if counts[f] > 0), key=lambda f: -counts[f])
