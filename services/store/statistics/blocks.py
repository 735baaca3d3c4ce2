"""The activations of consecutive features, and the same sorted by value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.store.scratch import Scratch
from services.store.values import codes, decoded

CHUNK = 2**20


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
    """The values of a block, ascending within each feature."""

    def __init__(self, block: Block, scratch: Scratch) -> None:
        self.block, self.bits = block, 8 * block.values.itemsize
        wide = self.bits == 32 or block.n_features > 2**16
        self.key_dtype = np.dtype(np.uint64 if wide else np.uint32)
        self.unsorted = scratch.empty(len(block.values), self.key_dtype)
        for chunk in block.chunks():
            self.unsorted[chunk] = codes(block.values[chunk])
            self.unsorted[chunk] |= block.expanded(self.prefixes)
        self.keys = scratch.empty(len(block.values), self.key_dtype)
        self.keys[:] = self.unsorted
        self.keys.sort()

    @property
    def prefixes(self) -> np.ndarray:
        """What the keys of each feature begin with [f]."""
        return np.arange(self.block.n_features).astype(self.key_dtype) << self.key_dtype.type(
            self.bits
        )

    def keys_of(self, code: np.ndarray) -> np.ndarray:
        """Keys for one code per feature [f]."""
        return self.prefixes | code.astype(self.key_dtype)

    def at_rank(self, features: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """The value with rank `ranks` [n] (0 is the smallest) of each of `features` [n]."""
        keys = np.asarray(self.keys[self.block.indptr[features] + ranks])
        return decoded(keys.astype(f"u{self.bits // 8}"), self.block.values.dtype)

    def below(self, features: np.ndarray, code: np.ndarray) -> np.ndarray:
        """How many values of each of `features` [n] have a smaller code than `code` [n]."""
        found = np.searchsorted(self.keys, self.prefixes[features] | code.astype(self.key_dtype))
        return found - self.block.indptr[features]
