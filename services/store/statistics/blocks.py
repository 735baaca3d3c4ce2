"""The activations of consecutive features, and the same sorted by value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from services.store.scratch import Scratch
from services.store.values import codes, decoded

CHUNK = 2**20

_RADIX = 2**24


@dataclass(frozen=True, slots=True)
class Block:
    """Features `first` to `first + f - 1`, feature by feature in the order of positions. A block
    of several features fits in memory; one of a single feature may be mapped from a file.
    """

    first: int
    indptr: np.ndarray  # [f + 1] int64, from 0
    positions: np.ndarray  # [nnz] uint32
    values: np.ndarray  # [nnz] float16 or float32

    @property
    def n_features(self) -> int:
        """f."""
        return len(self.indptr) - 1

    @property
    def counts(self) -> np.ndarray:
        """Activations per feature [f]."""
        return np.diff(self.indptr)

    def chunks(self) -> Iterator[slice]:
        """Pieces that fit in memory: all of it when there are several features."""
        size = CHUNK if self.n_features == 1 else max(len(self.positions), 1)
        for start in range(0, len(self.positions), size):
            yield slice(start, min(start + size, len(self.positions)))

    def expanded(self, per_feature: np.ndarray) -> Any:
        """A value per feature as one per activation of a chunk (or one for all)."""
        return per_feature[0] if self.n_features == 1 else np.repeat(per_feature, self.counts)


class SortedValues:
    """The values of a block, ascending within each feature, as `codes`."""

    def __init__(self, block: Block, scratch: Scratch) -> None:
        self.block = block
        code = np.dtype(f"u{block.values.itemsize}")
        self.unsorted = scratch.empty(len(block.values), code)
        for chunk in block.chunks():
            self.unsorted[chunk] = codes(block.values[chunk])
        self.codes = scratch.empty(len(block.values), code)
        self.codes[:] = self.unsorted
        for start, stop in pairwise(block.indptr.tolist()):
            if code.itemsize == 2 and 1 < stop - start <= _RADIX:
                self.codes[start:stop].sort(kind="stable")  # by radix; as much memory again
            elif stop - start > 1:
                self.codes[start:stop].sort()

    def at_rank(self, features: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """The value with rank `ranks` [n] (0 is the smallest) of each of `features` [n]."""
        found = np.asarray(self.codes[self.block.indptr[features] + ranks])
        return decoded(found, self.block.values.dtype)

    def below(self, features: np.ndarray, code: np.ndarray) -> np.ndarray:
        """How many values of each of `features` [n] have a smaller code than `code` [n]."""
        first = self.block.indptr[features]
        low, high = first.copy(), self.block.indptr[features + 1].copy()
        while (open_ := low < high).any():  # bisection, all at once
            middle = (low + high) // 2
            smaller = self.codes[np.minimum(middle, len(self.codes) - 1)] < code
            low = np.where(open_ & smaller, middle + 1, low)
            high = np.where(open_ & ~smaller, middle, high)
        return low - first
