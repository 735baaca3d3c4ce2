"""The curves of a report: tuples of finite numbers, ready to be drawn and stored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.sae.preflight.sums import Array, Sums, joined

_BARS = 30
Curves = dict[str, tuple[float, ...]]


def feature_curves(sums: Sums) -> Curves:
    """Histograms of L0, of log10 density of the features that fired, and of input norms."""
    density = sums.density()
    fired = np.log10(density[density > 0])
    return {
        **_histogram("l0", joined(sums.l0), whole=True),
        **_histogram("density", fired),
        **_histogram("input_norm", joined(sums.input_norms)),
    }


def output_curves(sums: Sums, bucket_of: NDArray[np.int64]) -> Curves:
    """FVU at each position (constant within a stretch), explained variance of each window."""
    by_bucket = sums.positions.unexplained()
    known = np.flatnonzero(np.isfinite(by_bucket))
    if not len(known):
        return {}
    filled = np.interp(np.arange(len(by_bucket)), known, by_bucket[known])
    windows = 1 - sums.windows.unexplained()
    return {
        "error_by_position": _tuple(filled[bucket_of]),
        "window_explained_variance": _tuple(windows[np.isfinite(windows)]),
    }


def _histogram(name: str, values: Array, *, whole: bool = False) -> Curves:
    values = values[np.isfinite(values)]
    if not len(values):
        return {}
    low, high = float(values.min()), float(values.max())
    if whole:  # bars of whole numbers: 0.5 features never fire
        step = max(1, int(np.ceil((high - low + 1) / _BARS)))
        edges = np.arange(low - 0.5, high + 0.5 + step, step)
    else:
        edges = np.linspace(low, high if high > low else low + 1, _BARS + 1)
    counts, edges = np.histogram(values, edges)
    return {f"{name}_histogram": _tuple(counts), f"{name}_edges": _tuple(edges)}


def _tuple(values: object) -> tuple[float, ...]:
    return tuple(float(value) for value in np.asarray(values))
