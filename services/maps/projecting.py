"""Principal components of directions: exact, in blocks, whatever the number of features.

Components are the eigenvectors of the covariance matrix, which is as wide as the model and is
summed over blocks in float64: the directions themselves are never all in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Blocks = Callable[[], Iterator[tuple[int, np.ndarray]]]
Tick = Callable[[int], None]
"""Told of every block, with how many features are done; may raise to stop."""


@dataclass(frozen=True, slots=True)
class Projection:
    """The first two principal components of those features that have a direction."""

    features: np.ndarray  # int32 [n], ascending
    points: np.ndarray  # float32 [n, 2]
    explained: tuple[float, float]  # share of the variance


def principal_components(blocks: Blocks, tick: Tick = lambda done: None) -> Projection:
    """Centred directions on the two axes of their largest variance.

    The sign of an axis is such that its entry of the largest magnitude is positive (of equal ones
    the first), so that the same weights give the same map everywhere.
    """
    mean, covariance = _moments(blocks, tick)
    variances, vectors = np.linalg.eigh(covariance)
    axes = vectors[:, ::-1][:, :2]
    if axes.shape[1] < 2:
        axes = np.pad(axes, ((0, 0), (0, 2 - axes.shape[1])))
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[largest, [0, 1]] < 0, -1.0, 1.0)
    features, points = [np.empty(0, np.int32)], [np.empty((0, 2), np.float32)]
    for start, rows in blocks():
        has = rows.any(axis=1)
        features.append((np.flatnonzero(has) + start).astype(np.int32))
        points.append(((rows[has] - mean) @ axes).astype(np.float32))
    largest_two = np.pad(variances[::-1][:2], (0, max(0, 2 - len(variances))))
    shares = np.maximum(largest_two, 0) / max(float(variances.sum()), np.finfo(np.float64).tiny)
    explained = (float(shares[0]), float(shares[1]))
    return Projection(np.concatenate(features), np.concatenate(points), explained)


def _moments(blocks: Blocks, tick: Tick) -> tuple[np.ndarray, np.ndarray]:
    """Mean [d] and covariance [d, d] of the directions, in float64."""
    n, total, squares = 0, np.zeros(0), np.zeros((0, 0))
    for start, rows in blocks():
        if not len(total):
            total, squares = np.zeros(rows.shape[1]), np.zeros((rows.shape[1], rows.shape[1]))
        wide = rows[rows.any(axis=1)].astype(np.float64)
        n += len(wide)
        total += wide.sum(axis=0)
        squares += wide.T @ wide
        tick(start + len(rows))
    mean = total / max(n, 1)
    return mean, squares / max(n, 1) - np.outer(mean, mean)
