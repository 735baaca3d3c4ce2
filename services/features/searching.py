"""Full-text search: words that must all occur somewhere in a feature's texts, in any case."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_WORDS = re.compile(r'"([^"]+)"?|([^\s"]+)')


def words(text: str) -> list[str]:
    """What is searched for: words, and phrases in quotes, without case."""
    found = (quoted or plain for quoted, plain in _WORDS.findall(text))
    return [pc.utf8_lower(pa.scalar(word)).as_py() for word in found if word.strip()]


def matching(columns: Sequence[pa.Array], text: str, among: np.ndarray) -> np.ndarray:
    """Those of the features `among` [n] in which every word occurs in one of the `columns`, which
    have no upper case.
    """
    for word in words(text):
        if not len(among):
            break
        hit = np.zeros(len(among), bool)
        for column in columns:
            hit |= _contains(column, word, among)
        among = among[hit]
    return among


def _contains(column: pa.Array, word: str, among: np.ndarray) -> np.ndarray:
    """Literally: no character has a meaning of its own."""
    texts = column if len(among) == len(column) else column.take(pa.array(among))
    return np.asarray(pc.fill_null(pc.match_substring(texts, word), False))
