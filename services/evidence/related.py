"""Other features of the same SAE: those that write nearly the same, those that fire together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from services.evidence.cache import Cache
from services.store.statistics.coactivation import Measure, Partners
from services.stores.reading import Reading
from services.types import FeatureNeighbour
from services.types.features import FeatureLine, RelatedFeature

_READ = 4_000_000  # activations that are read at most to count what fires together


# The lines of features in the table of their SAE, from one store.
Lines = Callable[[str, Sequence[int], str | None], Mapping[int, FeatureLine]]


def neighbours(
    near: Sequence[FeatureNeighbour], reading: Reading | None, feature: int
) -> list[RelatedFeature]:
    """Those with the nearest decoder directions; with a store also how often both fire."""
    if reading is None:
        return [_related(n.feature_id, n.cosine) for n in near]
    ids = np.array([n.feature_id for n in near], np.int64)
    together = _together(reading, feature, ids)
    others = zip(near, together, _expected(reading, feature, ids), strict=True)
    return [
        _related(n.feature_id, n.cosine, count, expected, int(reading.counts[n.feature_id]))
        for n, count, expected in others
    ]


def partners(
    reading: Reading, feature: int, by: Measure, limit: int, cache: Cache
) -> list[RelatedFeature]:
    """Those that fire on the same tokens, by `by`.

    Raises:
        Unavailable: the store fills.
    """
    d_sae = reading.store.spec.d_sae
    every: Partners = cache.get(
        reading, ("partners", feature), lambda: reading.store.coactivation(feature, d_sae)
    )
    found = every.top(by, limit)
    values = getattr(found, by)
    columns = (found.feature, values, found.count, _expected(reading, feature, found.feature))
    rows = zip(*(np.asarray(column).tolist() for column in columns), strict=True)
    return [
        _related(other, float(value), count, expected, int(reading.counts[other]))
        for other, value, count, expected in rows
        if value == value  # a constant feature has no correlation
    ]


def named(
    found: Sequence[RelatedFeature], lines: Mapping[int, FeatureLine]
) -> tuple[RelatedFeature, ...]:
    """The same with labels and top tokens."""
    return tuple(_named(other, lines[other.feature_id]) for other in found)


def _named(found: RelatedFeature, line: FeatureLine) -> RelatedFeature:
    label = line.marks.label
    return replace(found, label=label.text if label else None, top_tokens=line.top_tokens)


def _related(
    feature: int,
    value: float,
    count: int | None = None,
    expected: float | None = None,
    n: int | None = None,
) -> RelatedFeature:
    return RelatedFeature(feature, value, count, expected, None, n, ())


def _expected(reading: Reading, feature: int, others: np.ndarray) -> list[float]:
    """Tokens on which both would fire if they were independent."""
    n, counted = reading.counts, max(reading.store.n_counted, 1)
    found: list[float] = (float(n[feature]) * n[others] / counted).tolist()
    return found


def _together(reading: Reading, feature: int, others: np.ndarray) -> list[int | None]:
    """Tokens on which both fire; None of all where reading these would take long."""
    counts = reading.counts
    if counts[others].sum() + counts[feature] > _READ:
        return [None] * len(others)
    own = reading.store.feature(feature).positions
    return [_shared(own, reading.store.feature(other).positions) for other in others.tolist()]


def _shared(one: np.ndarray, other: np.ndarray) -> int:
    """How many positions are in both, which are ascending."""
    few, many = sorted((one, other), key=len)
    if not len(many):
        return 0
    at = np.searchsorted(many, few)
    return int((many[np.minimum(at, len(many) - 1)] == few).sum())
