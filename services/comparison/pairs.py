"""How two features' activations over the same tokens are related, counted exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from services.store import Activations
from services.stores.reading import Reading

T = TypeVar("T")


@dataclass(frozen=True)
class Fired:
    """All activations of one of the compared features."""

    reading: Reading
    found: Activations

    def __len__(self) -> int:
        return len(self.found)

    @property
    def positions(self) -> np.ndarray:
        """Where it fires [n], ascending."""
        return self.found.positions

    @cached_property
    def values(self) -> np.ndarray:
        """How strongly [n] float64."""
        return self.found.values.astype(np.float64)

    @cached_property
    def top(self) -> float:
        """Its largest value; 0 where it never fires."""
        return float(self.values.max(initial=0.0))

    def at(self, positions: np.ndarray) -> np.ndarray:
        """Its values at `positions` [m]; 0 where it is silent."""
        index = np.searchsorted(self.positions, positions.astype(self.positions.dtype))
        index = np.minimum(index, max(len(self) - 1, 0))
        values = np.zeros(len(positions))
        if len(self):
            fires = self.positions[index] == positions
            values[fires] = self.values[index[fires]]
        return values


@dataclass(frozen=True, slots=True)
class Related:
    """Two features over the same counted tokens."""

    count: int  # tokens at which both fire
    jaccard: float | None  # these ÷ tokens at which at least one fires; None where neither does
    correlation: float | None  # Pearson, zeros included; None where one of them never changes


def related(one: Fired, other: Fired, n_counted: int) -> Related:
    """How `one` and `other`, of the same tokens, are related."""
    both, at_one, at_other = np.intersect1d(
        one.positions, other.positions, assume_unique=True, return_indices=True
    )
    union = len(one) + len(other) - len(both)
    product = float(one.values[at_one] @ other.values[at_other])
    return Related(
        count=len(both),
        jaccard=len(both) / union if union else None,
        correlation=_correlation(one.values, other.values, product, n_counted),
    )


def _correlation(one: np.ndarray, other: np.ndarray, product: float, n: int) -> float | None:
    covariance = n * product - one.sum() * other.sum()
    spreads = [n * float(values @ values) - float(values.sum()) ** 2 for values in (one, other)]
    if min(spreads) <= 0:
        return None
    value = covariance / np.sqrt(spreads[0]) / np.sqrt(spreads[1])
    return float(np.clip(value, -1, 1))  # rounding may bring a feature and itself above 1


def matrix(n: int, entry: Callable[[int, int], T]) -> tuple[tuple[T, ...], ...]:
    """A symmetric matrix [n, n]; each pair is computed once."""
    known = {(i, j): entry(i, j) for i in range(n) for j in range(i, n)}
    return tuple(tuple(known[min(i, j), max(i, j)] for j in range(n)) for i in range(n))


def cosines(directions: Sequence[np.ndarray | None], spaces: Sequence[object]) -> tuple[
    tuple[float | None, ...], ...
]:  # fmt: skip
    """Of unit directions; None where two lie in different spaces, or one has none."""

    def cosine(i: int, j: int) -> float | None:
        one, other = directions[i], directions[j]
        if one is None or other is None or spaces[i] is None or spaces[i] != spaces[j]:
            return None
        if not one.any() or not other.any():
            return None
        return float(np.clip(one.astype(np.float64) @ other.astype(np.float64), -1, 1))

    return matrix(len(directions), cosine)
