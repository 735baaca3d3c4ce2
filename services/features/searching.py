"""Full-text search: words that must all occur somewhere in a feature's texts, in any case."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_WORDS = re.compile(r'"([^"]+)"?|([^\s"]+)')


def lowered(column: pa.Array) -> pa.Array:
    """Texts to be searched in."""
    return pc.utf8_lower(column.cast(pa.large_string()))


def words(text: str) -> list[str]:
    """What is searched for: words, and phrases in quotes, without case."""
    found = (quoted or plain for quoted, plain in _WORDS.findall(text))
    return [pc.utf8_lower(pa.scalar(word)).as_py() for word in found if word.strip()]


def matching(columns: Sequence[pa.Array], text: str, among: np.ndarray) -> np.ndarray:
    """Those of the features `among` [n] in which every word occurs in one of the `columns`."""
    for word in words(text):
        hit = np.zeros(len(among), bool)
        for column in columns:
            texts = column if len(among) == len(column) else column.take(pa.array(among))
            hit |= _contains(texts, word)
        among = among[hit]
    return among


def _contains(texts: pa.Array, word: str) -> np.ndarray:
    """Literally. As a pattern it is found several times as fast as as a substring."""
    return np.asarray(pc.fill_null(pc.match_substring_regex(texts, re.escape(word)), False))
