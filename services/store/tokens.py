"""The token side of a store: what fires at a position, and which tokens are around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

import numpy as np

from services.errors import NotFound
from services.store.manifest import Part
from services.store.parts import PartReader, TokenRows
from services.store.spec import StoreSpec
from services.store.storage import Storage

_GATHERED = 2**18  # positions that are looked up at once
_OPEN = 64  # parts kept open: each holds a file descriptor, of which a process often has 1,024


class TokenSide:
    """The parts in order; each is opened when it is first needed."""

    def __init__(self, storage: Storage, spec: StoreSpec, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        self.bases = np.concatenate([[0], np.cumsum([p.n_tokens for p in parts], dtype=np.int64)])
        # Not a method of self: a store that is read no more must close its files at once, and a
        # cycle of references would leave that to the garbage collector.
        self.reader = lru_cache(maxsize=_OPEN)(partial(_reader, storage, spec, self.parts))

    @property
    def n_tokens(self) -> int:
        """Tokens in all parts."""
        return int(self.bases[-1])

    def rows(self, start: int, stop: int) -> TokenRows:
        """Tokens `start` to `stop` - 1; NotFound when they are not all there."""
        if not 0 <= start < stop <= self.n_tokens:
            raise NotFound(
                f"the store has the tokens 0 to {self.n_tokens - 1}, not {start} to {stop - 1}",
                n_tokens=self.n_tokens,
            )
        return _joined([self._rows(n, low, high) for n, low, high in self._cut(start, stop)])

    def token_ids(self, start: int, stop: int) -> np.ndarray:
        """Token ids of `start` to `stop` - 1, which must be there."""
        found = [self.reader(n).token_ids(low, high) for n, low, high in self._cut(start, stop)]
        return np.concatenate(found)

    def at(self, positions: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Features, values and index into `positions` of what fires at the ascending
        `positions`, in pieces that fit in memory.
        """
        bounds = np.searchsorted(positions, self.bases)
        for number in np.flatnonzero(np.diff(bounds)):
            for first in range(bounds[number], bounds[number + 1], _GATHERED):
                stop = min(first + _GATHERED, bounds[number + 1])
                rows = positions[first:stop].astype(np.int64) - self.bases[number]
                features, values, index = self._gathered(int(number), rows)
                yield features, values, index + first

    def counted_at(self, positions: np.ndarray) -> np.ndarray:
        """Whether the tokens at the ascending `positions` count [n] bool."""
        bounds, found = np.searchsorted(positions, self.bases), [np.empty(0, bool)]
        for number in np.flatnonzero(np.diff(bounds)):
            cut = positions[bounds[number] : bounds[number + 1]].astype(np.int64)
            low, stop = int(cut[0] - self.bases[number]), int(cut[-1] - self.bases[number]) + 1
            flags = self.reader(int(number)).flags("counted", low, stop)
            found.append(flags[cut - cut[0]])
        return np.concatenate(found)

    def token_ids_at(self, positions: np.ndarray) -> np.ndarray:
        """Token ids at the ascending `positions` [n] uint32, which must be there."""
        bounds = np.searchsorted(positions, self.bases)
        found = [np.empty(0, np.uint32)]
        for number in np.flatnonzero(np.diff(bounds)):
            cut = positions[bounds[number] : bounds[number + 1]].astype(np.int64)
            low, stop = int(cut[0] - self.bases[number]), int(cut[-1] - self.bases[number]) + 1
            found.append(self.reader(int(number)).token_ids(low, stop)[cut - cut[0]])
        return np.concatenate(found)

    def _gathered(self, number: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        reader, low, high = self.reader(number), int(rows[0]), int(rows[-1]) + 1
        indptr = reader.indptr(low, high)
        lengths = np.diff(indptr)[rows - low]
        index = np.repeat(np.arange(len(rows)), lengths)
        shift = indptr[rows - low] - indptr[0] - (np.cumsum(lengths) - lengths)
        at = np.repeat(shift, lengths) + np.arange(len(index))
        first, stop = int(indptr[0]), int(indptr[-1])
        return reader.features(first, stop)[at], reader.values(first, stop)[at], index

    def _cut(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Part number and rows in it, for all parts that the range touches."""
        number = int(np.searchsorted(self.bases, start, side="right")) - 1
        while start < stop:
            base, end = int(self.bases[number]), min(stop, int(self.bases[number + 1]))
            yield number, start - base, end - base
            start, number = end, number + 1

    def _rows(self, number: int, low: int, high: int) -> TokenRows:
        return self.reader(number).rows(low, high, int(self.bases[number]))


def _joined(pieces: Sequence[TokenRows]) -> TokenRows:
    if len(pieces) == 1:
        return pieces[0]
    shifts = np.cumsum([0, *(int(piece.indptr[-1]) for piece in pieces[:-1])])
    indptr = [piece.indptr[:-1] + shift for piece, shift in zip(pieces, shifts, strict=True)]
    end = int(shifts[-1] + pieces[-1].indptr[-1])
    return TokenRows(
        pieces[0].start,
        np.concatenate([piece.token_ids for piece in pieces]),
        np.concatenate([piece.counted for piece in pieces]),
        np.concatenate([piece.starts for piece in pieces]),
        np.concatenate([*indptr, [end]]),
        np.concatenate([piece.features for piece in pieces]),
        np.concatenate([piece.values for piece in pieces]),
    )


def _reader(storage: Storage, spec: StoreSpec, parts: Sequence[Part], number: int) -> PartReader:
    """The part of that number."""
    part = parts[number]
    return PartReader(storage.source(part.file.path), part, spec)
