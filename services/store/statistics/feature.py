"""What is known of one feature, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.store.features import quantile_name
from services.store.statistics.distribution import (
    LINEAR_BINS,
    LOG_BINS_PER_OCTAVE,
    QUANTILES,
    edges,
    span,
)


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts[i]` values from `edges[i]` to below `edges[i + 1]`."""

    edges: np.ndarray  # [bins + 1]
    counts: np.ndarray  # [bins]


@dataclass(frozen=True, slots=True)
class Interval:
    """Some activations of one of the equal parts of the feature's values."""

    low: float
    high: float
    positions: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """Of one feature over the whole store; the definitions are in docs/statistics.md.

    A feature that never fires is dead: its densities are 0, what needs an activation is None or
    empty.
    """

    feature: int
    n: int
    n_documents: int
    token_density: float
    document_density: float
    idf: float | None
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    quantiles: Mapping[float, float]
    histogram: Histogram
    log_histogram: Histogram
    negative_log_histogram: Histogram  # of the magnitudes of negative values
    top_positions: np.ndarray
    top_values: np.ndarray
    intervals: tuple[Interval, ...]

    @property
    def dead(self) -> bool:
        """Whether no token of the store activates it."""
        return self.n == 0


def from_row(row: Mapping[str, Any], intervals: int) -> FeatureStatistics:
    """A row of `features.parquet`, of a store with this many intervals."""
    return FeatureStatistics(
        **{name: row[name] for name in _PLAIN},
        quantiles={q: row[quantile_name(q)] for q in QUANTILES if row["n"]},
        histogram=_linear(row),
        log_histogram=_logarithmic(row["log_bin"], row["log_count"]),
        negative_log_histogram=_logarithmic(row["negative_log_bin"], row["negative_log_count"]),
        top_positions=np.array(row["top_position"], np.uint32),
        top_values=np.array(row["top_value"], np.float32),
        intervals=_intervals(row, intervals),
    )


_PLAIN = (
    "feature",
    "n",
    "n_documents",
    "token_density",
    "document_density",
    "idf",
    "min",
    "max",
    "mean",
    "std",
)


def _edges(row: Mapping[str, Any], bins: int) -> np.ndarray:
    low, high = (np.array([row[name]], np.float64) for name in ("min", "max"))
    return edges(*span(low, high), bins)[0]


def _linear(row: Mapping[str, Any]) -> Histogram:
    if not row["n"]:
        return Histogram(np.empty(0), np.empty(0, np.int64))
    return Histogram(_edges(row, LINEAR_BINS), np.array(row["histogram"], np.int64))


def _logarithmic(bins: list[int], counts: list[int]) -> Histogram:
    """All bins from the first to the last, those between them that are empty included."""
    if not bins:
        return Histogram(np.empty(0), np.empty(0, np.int64))
    numbers = np.arange(bins[0], bins[-1] + 2)
    exponent, eighth = np.divmod(numbers, LOG_BINS_PER_OCTAVE)
    filled = np.zeros(len(numbers) - 1, np.int64)
    filled[np.array(bins) - bins[0]] = counts
    return Histogram(2.0**exponent * (1 + eighth / LOG_BINS_PER_OCTAVE), filled)


def _intervals(row: Mapping[str, Any], intervals: int) -> tuple[Interval, ...]:
    if not row["n"]:
        return ()
    at = _edges(row, intervals)
    number = np.array(row["interval"])
    positions = np.array(row["interval_position"], np.uint32)
    values = np.array(row["interval_value"], np.float32)
    return tuple(
        Interval(float(at[i]), float(at[i + 1]), positions[number == i], values[number == i])
        for i in range(intervals)
    )
