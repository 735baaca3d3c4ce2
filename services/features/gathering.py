"""The making of texts: the tokens of a corpus are read once, in their order.

In memory are a block of tokens, and of each of at most 131,072 features its 32 top positions and
its texts; where there are more features, the tokens are read again for the next ones.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from services.features.token_counts import Counting
from services.stores.contexts import token_names
from services.stores.finding import joined
from services.stores.reading import Reading
from services.stores.vocabulary import Vocabulary
from services.text import storable

TOKENS, EXAMPLES, WIDTH = 10, 3, 10  # kept of a feature; tokens on each side of an example
BLOCK = 2**18  # tokens that are looked at at once
AT_ONCE = 2**17  # features
SCHEMA = pa.schema(
    [
        pa.field("feature", pa.uint32(), nullable=False),
        pa.field("top_token", pa.list_(pa.uint32()), nullable=False),
        pa.field("top_text", pa.list_(pa.string()), nullable=False),
        pa.field("example", pa.list_(pa.string()), nullable=False),
        pa.field("mark_start", pa.int32()),  # characters of the first example where it fires
        pa.field("mark_stop", pa.int32()),
    ]
)


@dataclass(frozen=True)
class Gathered:
    """Both tables as they are kept."""

    texts: pa.Table
    counts: pa.Table


def gather(
    reading: Reading, stop: Callable[[], bool], progress: Callable[[int, int], None]
) -> Gathered | None:
    """The texts of all features of a complete store, and the counts of its tokens; None when
    stopped.
    """
    store, counting, done = reading.store, Counting(), 0
    tops = store.statistics_table(["top_position"]).column("top_position").combine_chunks()
    pieces = [tops.slice(first, AT_ONCE) for first in range(0, max(len(tops), 1), AT_ONCE)]
    batches, total = [], store.n_tokens * len(pieces)
    for number, piece in enumerate(pieces):
        group = _Group(reading, piece, number * AT_ONCE)
        for low, ids, documents in _blocks(reading):
            if stop():
                return None
            group.read(low, ids)
            if not number:
                stop_at = min(low + BLOCK, store.n_tokens)
                counted = store.counted_at(np.arange(low, stop_at))
                counting.add(ids[: stop_at - low][counted], documents[counted])
            done += min(BLOCK, store.n_tokens - low)
            progress(done, total)
        batches.append(group.rows())
    return Gathered(pa.Table.from_batches(batches, SCHEMA), counting.table())


def _blocks(reading: Reading) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """First position, token ids and documents of each block; the ids go on for as long as an
    example may that begins in the block.
    """
    store = reading.store
    for low in range(0, store.n_tokens, BLOCK):
        stop = min(low + BLOCK, store.n_tokens)
        ids = store.token_ids(low, min(stop + 2 * WIDTH, store.n_tokens)).astype(np.int64)
        yield low, ids, store.documents_at(np.arange(low, stop))


class _Group:
    """Some features, with what was found of them so far."""

    def __init__(self, reading: Reading, tops: pa.Array, first: int) -> None:
        self._reading, self._first, self._n = reading, first, len(tops)
        self._positions = tops.flatten().to_numpy().astype(np.uint32)
        self._features = np.repeat(
            np.arange(len(tops), dtype=np.int32), np.diff(tops.offsets.to_numpy())
        )
        self._order = np.argsort(self._positions, kind="stable")
        self._sorted = self._positions[self._order]
        self._ids = np.zeros(len(self._positions), np.uint32)
        self._examples = _Examples.of(reading, self._features, self._positions)

    def read(self, low: int, ids: np.ndarray) -> None:
        """Take what there is in the block of tokens from `low` on."""
        begin, end = np.searchsorted(self._sorted, [low, min(low + BLOCK, low + len(ids))])
        here = self._order[begin:end]
        self._ids[here] = ids[self._positions[here].astype(np.int64) - low]
        if self._reading.vocabulary is not None:
            self._examples.read(low, ids, self._reading.vocabulary)

    def rows(self) -> pa.RecordBatch:
        """The rows of the features."""
        chosen = _first_of_each(self._features, self._ids.astype(np.int64), TOKENS)
        features, ids = self._features[chosen], self._ids[chosen]
        offsets = _offsets(features, self._n)
        columns = [
            pa.array(np.arange(self._first, self._first + self._n, dtype=np.uint32)),
            pa.ListArray.from_arrays(offsets, pa.array(ids)),
            pa.ListArray.from_arrays(offsets, self._texts(ids)),
            *self._examples.columns(self._n),
        ]
        return pa.record_batch(columns, schema=SCHEMA)

    def _texts(self, ids: np.ndarray) -> pa.Array:
        """What each token reads as; without a vocabulary its number."""
        different, place = np.unique(ids, return_inverse=True)
        texts = [storable(text) for text in token_names(self._reading, different)]
        return pa.array(texts, pa.string()).take(pa.array(place))


@dataclass(frozen=True)
class _Examples:
    """Places of text by their first token, ascending; `texts` and `marks` are filled in."""

    features: np.ndarray  # [m], of each place
    order: np.ndarray  # [m] its number when they are in the order of features and strength
    starts: np.ndarray  # [m] ascending
    at: np.ndarray  # [m] the token that fires
    stops: np.ndarray  # [m]
    texts: list[str]
    marks: list[tuple[int, int]]

    @classmethod
    def of(cls, reading: Reading, features: np.ndarray, positions: np.ndarray) -> _Examples:
        """Around the strongest activations, each from another document."""
        store = reading.store
        documents = store.documents_at(positions)
        chosen = _first_of_each(features, documents, EXAMPLES)
        at, numbers = positions[chosen].astype(np.int64), documents[chosen]
        begins = store.documents(["start"]).column("start").to_numpy().astype(np.int64)
        ends = np.append(begins[1:], store.n_tokens)
        starts = np.maximum(at - WIDTH, begins[numbers])
        stops = np.minimum(at + WIDTH + 1, ends[numbers])
        order = np.argsort(starts, kind="stable")
        return cls(
            features=features[chosen][order],
            order=order,
            starts=starts[order],
            at=at[order],
            stops=stops[order],
            texts=[""] * len(order),
            marks=[(0, 0)] * len(order),
        )

    def read(self, low: int, ids: np.ndarray, vocabulary: Vocabulary) -> None:
        """Spell those that begin in the block."""
        begin, end = np.searchsorted(self.starts, [low, low + BLOCK])
        if begin == end:
            return
        data, ends = joined(ids, vocabulary.bytes)
        bounds = [0, *ends.tolist()]
        for i in range(begin, end):
            first, at, stop = (
                int(column[i]) - low for column in (self.starts, self.at, self.stops)
            )
            cut = data[bounds[first] : bounds[stop]]
            token = bounds[at] - bounds[first], bounds[at + 1] - bounds[first]
            self.texts[i], self.marks[i] = _spelled(cut, *token)

    def columns(self, n: int) -> list[pa.Array]:
        """The texts of each of `n` features, strongest first, and the marks in the first."""
        back = np.argsort(self.order)
        features = self.features[back]
        texts = pa.array(self.texts, pa.string()).take(pa.array(back))
        marks = np.full((n, 2), -1, np.int32)
        first = np.flatnonzero(np.diff(features, prepend=-1))
        marks[features[first]] = np.array(self.marks, np.int32).reshape(-1, 2)[back[first]]
        missing = marks[:, 0] >= marks[:, 1]
        plain = [pa.array(np.ascontiguousarray(column), mask=missing) for column in marks.T]
        return [pa.ListArray.from_arrays(_offsets(features, n), texts), *plain]


def _spelled(cut: bytes, first: int, stop: int) -> tuple[str, tuple[int, int]]:
    """The text, without halves of characters at its ends, and the characters in which its bytes
    from `first` to before `stop` are.
    """
    text = cut.decode("utf-8", "replace")
    shown = text.strip("\ufffd")
    left = len(text) - len(text.lstrip("\ufffd"))
    # A character that is cut by the token's first byte is held back, one cut by its last is not.
    start = len(codecs.getincrementaldecoder("utf-8")("replace").decode(cut[:first])) - left
    end = len(cut[:stop].decode("utf-8", "replace")) - left
    return storable(shown), (max(start, 0), min(end, len(shown)) if stop > first else 0)


def _first_of_each(features: np.ndarray, values: np.ndarray, most: int) -> np.ndarray:
    """Of the ascending `features`, the places of their first `most` different values [m]."""
    order = np.lexsort((np.arange(len(values)), values, features))
    again = (np.diff(features[order], prepend=-1) == 0) & (np.diff(values[order], prepend=-1) == 0)
    first = np.sort(order[~again])
    rank = np.arange(len(first)) - np.searchsorted(features[first], features[first])
    return first[rank < most]


def _offsets(features: np.ndarray, n: int) -> pa.Array:
    counts = np.bincount(features, minlength=n)
    return pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
