"""Choosing among a feature's activations: by value, by document, page by page, at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from services.errors import InvalidArgument
from services.store.document_side import DocumentSide, Where

_PIECE = 2**16  # activations looked at together while a page fills


@dataclass(frozen=True, slots=True)
class Activations:
    """Where one feature fires, and how strongly. On a local store these are views of its file."""

    feature: int
    positions: np.ndarray  # [n] uint32, ascending
    values: np.ndarray  # [n] float16 or float32

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, slots=True)
class Page:
    """Some activations in the order of positions; continue with `after=next_after`."""

    feature: int
    positions: np.ndarray
    values: np.ndarray
    next_after: int | None  # None: there are no more


@dataclass(frozen=True, slots=True)
class Selection:
    """Which activations: both bounds are included; `where` is about their documents."""

    min_value: float | None = None
    max_value: float | None = None
    where: Where | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.min_value is None and self.max_value is None and self.where is None


class Selector:
    """A selection, ready to be applied to activations."""

    def __init__(self, selection: Selection, documents: DocumentSide) -> None:
        self.everything = selection.everything
        self._selection, self._documents = selection, documents
        self._chosen = None if selection.where is None else documents.chosen(selection.where)

    def mask(self, positions: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Which of these activations are selected [n] bool."""
        mask = np.ones(len(positions), bool)
        chosen = self._selection
        if chosen.min_value is not None:
            mask &= values.astype(np.float32) >= chosen.min_value
        if chosen.max_value is not None:
            mask &= values.astype(np.float32) <= chosen.max_value
        if self._chosen is not None:
            mask &= self._chosen[self._documents.numbers_at(positions)]
        return mask

    def all(self, found: Activations) -> Activations:
        """The selected ones."""
        if self.everything:
            return found
        chosen = np.flatnonzero(self.mask(found.positions, found.values))  # faster than the mask
        return Activations(found.feature, found.positions[chosen], found.values[chosen])

    def page(self, found: Activations, after: int | None, limit: int) -> Page:
        """At most `limit` selected activations at positions greater than `after`."""
        if limit < 1:
            raise InvalidArgument(f"limit must be at least 1, not {limit}", limit=limit)
        least = 0 if after is None else after + 1
        at = int(np.searchsorted(found.positions, least))
        taken = np.empty(0, np.int64)
        size = limit + 1 if self.everything else max(_PIECE, limit + 1)
        while len(taken) <= limit and at < len(found):
            piece = slice(at, at + size)
            mask = self.mask(found.positions[piece], found.values[piece])
            taken = np.concatenate([taken, np.flatnonzero(mask) + at])
            at += size
        more, taken = len(taken) > limit, taken[:limit]
        positions, values = found.positions[taken], found.values[taken]
        return Page(found.feature, positions, values, int(positions[-1]) if more else None)

    def sample(self, found: Activations, n: int, seed: int) -> Activations:
        """`n` selected activations at random without repetition, in the order of positions; the
        same ones for the same seed. All of them when there are fewer.
        """
        selected = self.all(found)
        if len(selected) <= n:
            return selected
        at = np.random.default_rng(seed).choice(len(selected), n, replace=False, shuffle=False)
        at.sort()
        return Activations(found.feature, selected.positions[at], selected.values[at])


def long_table(found: Sequence[Activations]) -> pa.Table:
    """Columns feature, position and value, one feature after the other."""
    kind = pa.from_numpy_dtype(np.result_type(np.float16, *(f.values.dtype for f in found)))
    names = pa.schema([("feature", pa.uint32()), ("position", pa.uint32()), ("value", kind)])
    batches = [
        pa.record_batch(
            [
                pa.array(np.full(len(f), f.feature, np.uint32)),
                pa.array(f.positions),
                pa.array(f.values).cast(kind),
            ],
            schema=names,
        )
        for f in found
    ]
    return pa.Table.from_batches(batches, names)
