"""Quantiles and histograms, from the sorted values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from services.store.statistics.blocks import CHUNK, SortedValues
from services.store.values import codes_from, decoded

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
LINEAR_BINS = 50
LOG_BINS_PER_OCTAVE = 8  # the first three bits of the mantissa

_LOG_BITS = 12  # of a float32: sign, exponent and three bits of the mantissa
_LOG_SIGN = 1 << (_LOG_BITS - 1)
_LOG_ZERO = 127 * LOG_BINS_PER_OCTAVE  # the bin of 1.0


@dataclass(frozen=True, slots=True)
class LogHistograms:
    """Counts by magnitude, as sparse triples; feature-major, bins ascending.

    Bin b = 8 e + j holds 2^e (1 + j/8) <= |value| < 2^e (1 + (j + 1)/8).
    """

    feature: np.ndarray  # [m], within the block
    bin: np.ndarray  # [m] int
    count: np.ndarray  # [m]


def extremes(ordered: SortedValues) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of each feature [f], float64; NaN where there is none."""
    low, high = (np.full(ordered.block.n_features, np.nan) for _ in range(2))
    fires = np.flatnonzero(ordered.block.counts)
    low[fires] = ordered.at_rank(fires, np.zeros(len(fires), np.int64))
    high[fires] = ordered.at_rank(fires, ordered.block.counts[fires] - 1)
    return low, high


def quantiles(ordered: SortedValues) -> np.ndarray:
    """[f, len(QUANTILES)] float64: the smallest value that at least this share of the feature's
    activations does not exceed; NaN where there is none.
    """
    found = np.full((ordered.block.n_features, len(QUANTILES)), np.nan)
    fires = np.flatnonzero(ordered.block.counts)
    n = ordered.block.counts[fires]
    for column, share in enumerate(QUANTILES):
        rank = np.ceil(share * n - 1e-9 * n).astype(np.int64) - 1
        found[fires, column] = ordered.at_rank(fires, np.clip(rank, 0, n - 1))
    return found


def span(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What linear histograms and intervals cover: from the smallest value, or 0 when that is
    less, to the largest, or 0 when that is more.
    """
    return np.minimum(low, 0.0), np.maximum(high, 0.0)


def edges(low: np.ndarray, high: np.ndarray, bins: int) -> np.ndarray:
    """[f, bins + 1] float64: `bins` equal widths from low to high."""
    steps = np.arange(bins + 1) / bins
    found = low[:, None] + (high - low)[:, None] * steps
    found[:, -1] = high
    return found


def linear_histogram(ordered: SortedValues, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """[f, LINEAR_BINS] int64 over `span`; a value on an edge counts above it, the last below."""
    block = ordered.block
    counts = np.zeros((block.n_features, LINEAR_BINS), np.int64)
    fires = np.flatnonzero(block.counts)
    inner = edges(*span(low[fires], high[fires]), LINEAR_BINS)[:, 1:-1]
    codes = codes_from(inner.ravel(), block.values.dtype)
    below = ordered.below(np.repeat(fires, inner.shape[1]), codes).reshape(inner.shape)
    n = block.counts[fires, None]
    counts[fires] = np.diff(below, prepend=0, append=n, axis=1)
    return counts


def log_histograms(ordered: SortedValues) -> tuple[LogHistograms, LogHistograms]:
    """Of the positive values, and of the negative ones by their magnitude."""
    keys, counts = [], []
    for start in range(0, len(ordered.codes), CHUNK):
        stop = min(start + CHUNK, len(ordered.codes))
        first, binned = _runs(ordered, start, stop)
        features = np.searchsorted(ordered.block.indptr, first, side="right") - 1
        keys.append(features << _LOG_BITS | binned)
        counts.append(np.diff(first, append=stop))
    key = np.concatenate(keys) if keys else np.empty(0, np.int64)
    unique, inverse = np.unique(key, return_inverse=True)
    total = np.zeros(len(unique), np.int64)
    np.add.at(total, inverse, np.concatenate(counts) if counts else [])
    negative = (unique & _LOG_SIGN) > 0
    return _triples(unique, total, ~negative), _triples(unique, total, negative)


def _runs(ordered: SortedValues, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Where runs of values of one feature with the same bin begin, and these bins."""
    chunk = np.asarray(ordered.codes[start:stop])
    if chunk.dtype == np.uint16:
        binned = np.take(_half_log_codes(), chunk)
    else:
        binned = _log_codes(decoded(chunk, ordered.block.values.dtype))
    new = np.ones(len(chunk), bool)
    np.not_equal(binned[1:], binned[:-1], out=new[1:])
    begins = ordered.block.indptr - start
    new[begins[(begins >= 0) & (begins < len(chunk))]] = True
    first = np.flatnonzero(new)
    return first + start, binned[first].astype(np.int64)


def _log_codes(values: np.ndarray) -> np.ndarray:
    """Sign, exponent and three bits of the mantissa."""
    bits = values.astype(np.float32).view(np.uint32)
    return (bits >> np.uint32(32 - _LOG_BITS)).astype(np.uint16)


@lru_cache(maxsize=1)
def _half_log_codes() -> np.ndarray:
    """By the code of a float16."""
    with np.errstate(invalid="ignore"):
        return _log_codes(decoded(np.arange(2**16, dtype=np.uint16), np.dtype(np.float16)))


def _triples(key: np.ndarray, count: np.ndarray, chosen: np.ndarray) -> LogHistograms:
    key, count = key[chosen], count[chosen]
    return LogHistograms(key >> _LOG_BITS, (key & (_LOG_SIGN - 1)) - _LOG_ZERO, count)
