"""Full-text search: words that must all occur somewhere in a feature's texts, in any case."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_WORDS = re.compile(r'"([^"]+)"?|([^\s"]+)')
_FEW = 8  # so many times fewer features than there are: their texts are taken out first
_TRIED, _DENSE = 2048, 0.3  # hits after which it is seen whether nearly every text has one


class Haystack:
    """A column of texts without case, one after the other in memory.

    A search for bytes in all of them at once is several times as fast as one in each, unless
    nearly every text has the word.
    """

    def __init__(self, column: pa.Array) -> None:
        lowered = pc.utf8_lower(column.cast(pa.large_string()))
        _, offsets, data = lowered.buffers()
        at = np.frombuffer(offsets, np.int64)[lowered.offset : lowered.offset + len(lowered) + 1]
        self._data = b"" if data is None else memoryview(data)[at[0] : at[-1]].tobytes()
        self._offsets = at - at[0]
        self._ends: list[int] = self._offsets.tolist()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def having(self, word: str, among: np.ndarray) -> np.ndarray:
        """Which of the texts `among` [n] contain the word, literally [n] bool."""
        if len(among) * _FEW < len(self):
            return _contain(self._column().take(pa.array(among)), word)
        found = np.zeros(len(self), bool)
        sought, rows = word.encode(), []
        for row in self._rows(sought):
            rows.append(row)
            if len(rows) == _TRIED and _DENSE * (row + 1) < _TRIED:
                found[row + 1 :] = _contain(self._column().slice(row + 1), word)
                break
        found[rows] = True
        return found[among]

    def _rows(self, sought: bytes) -> Iterator[int]:
        """The texts that contain it, each once."""
        at, row = self._data.find(sought), 0
        while at >= 0:
            row = bisect_right(self._ends, at, row) - 1
            end = self._ends[row + 1]
            if at + len(sought) <= end:
                yield row
                at = self._data.find(sought, end)
            else:  # it begins in one text and ends in another
                at = self._data.find(sought, at + 1)

    def _column(self) -> pa.Array:
        buffers = [None, pa.py_buffer(self._offsets), pa.py_buffer(self._data)]
        return pa.Array.from_buffers(pa.large_string(), len(self), buffers)


def words(text: str) -> list[str]:
    """What is searched for: words, and phrases in quotes, without case."""
    found = (quoted or plain for quoted, plain in _WORDS.findall(text))
    return [pc.utf8_lower(pa.scalar(word)).as_py() for word in found if word.strip()]


def matching(columns: Sequence[Haystack], text: str, among: np.ndarray) -> np.ndarray:
    """Those of the features `among` [n] in which every word occurs in one of the `columns`."""
    for word in words(text):
        hit = np.zeros(len(among), bool)
        for column in columns:
            hit |= column.having(word, among)
        among = among[hit]
    return among


def _contain(texts: pa.Array, word: str) -> np.ndarray:
    return np.asarray(pc.match_substring(texts, word))
