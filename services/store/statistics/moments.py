"""Sums of values and of their squares, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.store.statistics.blocks import Block
from services.store.values import widened


@dataclass(frozen=True, slots=True)
class Moments:
    """Per feature, over its activations. Moments of disjoint sets of tokens add up."""

    n: np.ndarray  # [f] int64
    sum: np.ndarray  # [f] float64
    sum_squares: np.ndarray  # [f] float64

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.n + other.n, self.sum + other.sum, self.sum_squares + other.sum_squares)

    @property
    def mean(self) -> np.ndarray:
        """Mean activation [f]; NaN where there is none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.sum / self.n

    @property
    def std(self) -> np.ndarray:
        """Standard deviation (divided by n) of the activations [f]; NaN where there is none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(np.maximum(self.sum_squares / self.n - self.mean**2, 0))


def moments(block: Block) -> Moments:
    """The block's moments, in float64."""
    sums, squares = np.zeros(block.n_features), np.zeros(block.n_features)
    fires = block.counts > 0
    for chunk in block.chunks():
        values = widened(block.values[chunk]).astype(np.float64)
        starts = block.indptr[:-1][fires] if block.n_features > 1 else [0]
        sums[fires] += np.add.reduceat(values, starts)
        np.square(values, out=values)
        squares[fires] += np.add.reduceat(values, starts)
    return Moments(block.counts, sums, squares)
