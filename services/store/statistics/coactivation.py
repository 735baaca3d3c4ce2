"""Which features fire together with one feature, over all counted tokens of the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.store.statistics.moments import Moments

Measure = Literal["count", "jaccard", "correlation"]


@dataclass(frozen=True, slots=True)
class Partners:
    """Features in descending order of one measure; of equal ones the lower number first."""

    feature: np.ndarray  # [m]
    count: np.ndarray  # [m] tokens where both fire
    jaccard: np.ndarray  # [m] these ÷ tokens where at least one fires
    correlation: np.ndarray  # [m] Pearson over all counted tokens, zeros included; may be NaN

    def top(self, measure: Measure, m: int) -> Partners:
        """The `m` with the largest `measure`."""
        key = getattr(self, measure).astype(np.float64)
        order = np.lexsort((self.feature, -np.nan_to_num(key, nan=-np.inf)))[:m]
        return Partners(*(getattr(self, name)[order] for name in self.__slots__))


def partners(
    feature: int,
    values: np.ndarray,
    fired: Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]],
    moments: Moments,
    n_counted: int,
) -> Partners:
    """All features that fire at least once where `feature` does, itself left out.

    `values` are the feature's own activations; `fired` gives features, values and index into
    `values` of all that fires at their positions.
    """
    d_sae = len(moments.n)
    count, product = np.zeros(d_sae, np.int64), np.zeros(d_sae)
    for features, others, index in fired:
        count += np.bincount(features, minlength=d_sae)
        weights = others.astype(np.float64) * values[index].astype(np.float64)
        product += np.bincount(features, weights, minlength=d_sae)
    count[feature] = 0
    found = np.flatnonzero(count)
    together = count[found]
    union = moments.n[feature] + moments.n[found] - together
    correlation = _correlations(feature, found, product[found], moments, n_counted)
    return Partners(found, together, together / union, correlation)


def _correlations(
    feature: int, found: np.ndarray, product: np.ndarray, moments: Moments, n: int
) -> np.ndarray:
    sums, squares = moments.sum, moments.sum_squares
    covariance = n * product - sums[feature] * sums[found]
    own = n * squares[feature] - sums[feature] ** 2
    others = n * squares[found] - sums[found] ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            (own > 0) & (others > 0), covariance / np.sqrt(own) / np.sqrt(others), np.nan
        )
