"""What is read of each compared feature: its activations, its tokens, its direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.comparison.pairs import Fired, Related, matrix, related
from services.comparison.requests import FeatureName
from services.comparison.streams import Streams
from services.comparison.tokens import log_odds_z, strongest
from services.evidence.cache import Cache
from services.stores.contexts import token_names
from services.stores.reading import Reading
from services.stores.service import Stores
from services.types.features import ScoredToken
from services.types.stores import StoreHistogram

BINS = 40
_BLOCK = 2**20  # tokens that are counted at once


@dataclass(frozen=True, slots=True)
class Together:
    """The compared features by whether they were read from the same tokens."""

    fired: tuple[Fired | None, ...]  # None where the SAE has read no corpus
    same: tuple[tuple[bool, ...], ...]
    notes: tuple[str, ...]

    def group(self, i: int) -> list[int]:
        """The features that were read from the same tokens as feature `i`, itself included."""
        return [j for j, is_same in enumerate(self.same[i]) if is_same]

    def largest(self) -> list[int]:
        """The most features of the same tokens; of equally many the first."""
        return max((self.group(i) for i in range(len(self.fired))), key=len)

    def related(self) -> tuple[tuple[Related | None, ...], ...]:
        """How each two are related; None where they cannot be compared."""

        def entry(i: int, j: int) -> Related | None:
            one, other = self.fired[i], self.fired[j]
            if one is None or other is None or not self.same[i][j]:
                return None
            return related(one, other, one.reading.store.n_counted)

        return matrix(len(self.fired), entry)


class Gathering:
    """Reads features from their stores."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._streams, self._cache = Streams(), Cache(8)

    def together(self, features: Sequence[FeatureName], chosen: dict[str, str | None]) -> Together:
        """The activations of the features, each from the chosen store of its SAE."""
        fired = tuple(self._fired(name, chosen[name.sae_id]) for name in features)
        notes = [
            f"SAE {sae_id} has read no corpus yet: nothing is known of where its features fire"
            for sae_id, store_id in chosen.items()
            if store_id is None
        ]

        def same(i: int, j: int) -> bool:
            one, other = fired[i], fired[j]
            if one is None or other is None:
                return False
            why = self._streams.difference(one.reading, other.reading)
            if why is not None:
                pair = f"{features[i].sae_id} and {features[j].sae_id}"
                notes.append(f"Activations of {pair} are not compared: {why}")
            return why is None

        same_tokens = matrix(len(features), same)
        return Together(fired, same_tokens, tuple(dict.fromkeys(notes)))

    def distinguishing(self, together: Together, i: int, n: int) -> tuple[ScoredToken, ...]:
        """The tokens that feature `i` fires on and those of the same tokens do not."""
        own = together.fired[i]
        others = [together.fired[j] for j in together.group(i) if j != i]
        if own is None or not others:
            return ()
        corpus = self._corpus(own.reading)
        counts = [self._counts(f, len(corpus)) for f in (own, *others) if f is not None]
        z = log_odds_z(counts[0], np.sum(counts[1:], axis=0), corpus)
        chosen = strongest(z, n)
        names = token_names(own.reading, chosen)
        triples = zip(chosen.tolist(), names, z[chosen].tolist(), strict=True)
        return tuple(
            ScoredToken(token, text, score, int(counts[0][token])) for token, text, score in triples
        )

    def _fired(self, name: FeatureName, store_id: str | None) -> Fired | None:
        if store_id is None:
            return None
        return self._stores.read(
            store_id, lambda reading: Fired(reading, reading.store.feature(name.feature_id))
        )

    def _counts(self, fired: Fired, size: int) -> np.ndarray:
        """Activations by token [size]."""

        def make() -> np.ndarray:
            ids = fired.reading.store.token_ids_at(fired.positions)
            return np.bincount(ids, minlength=size)

        key = ("tokens", fired.found.feature)
        return self._cache.get(fired.reading, key, make)[:size]

    def _corpus(self, reading: Reading) -> np.ndarray:
        """Counted tokens of the store by token."""
        return self._cache.get(reading, "corpus", lambda: _token_counts(reading))


def _token_counts(reading: Reading) -> np.ndarray:
    store = reading.store
    counts = np.zeros(1, np.int64)
    for start in range(0, store.n_tokens, _BLOCK):
        stop = min(start + _BLOCK, store.n_tokens)
        counted = store.counted_at(np.arange(start, stop))
        found = np.bincount(store.token_ids(start, stop)[counted], minlength=len(counts))
        found[: len(counts)] += counts
        counts = found
    return counts


def histograms(fired: Sequence[Fired | None]) -> list[StoreHistogram | None]:
    """Of each feature's values, over the same edges for all."""
    there = [f.values for f in fired if f is not None and len(f)]
    if not there:
        return [None] * len(fired)
    low = min(0.0, *(float(values.min()) for values in there), 0.0)
    high = max(0.0, *(float(values.max()) for values in there), 0.0)
    edges = np.linspace(low, high, BINS + 1)

    def counted(one: Fired) -> StoreHistogram:
        counts, _ = np.histogram(one.values, edges)
        return StoreHistogram(tuple(edges.tolist()), tuple(counts.tolist()))

    return [None if f is None or not len(f) else counted(f) for f in fired]


def of_matrix(
    related: Sequence[Sequence[Related | None]], value: Callable[[Related], float | None]
) -> tuple[tuple[float | None, ...], ...]:
    """One of the numbers of each pair."""
    return tuple(tuple(None if r is None else value(r) for r in row) for row in related)
