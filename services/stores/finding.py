"""Where a text stands in the corpus, found on the bytes that its tokens spell.

Blocks of tokens are joined to bytes by one gather, searched, and what is found is mapped back to
tokens. A match may begin and end within tokens; it never spans documents. A block ends before the
tokens in which a match could begin that goes on: these are the first ones of the next block. So
memory is bounded, and each match is found once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.store import ActivationStore
from services.stores.vocabulary import Vocabulary

BLOCK = 2**18  # tokens that are joined at once
MOST = 10_000  # matches that are gathered, and those that begin in the same token as the last one
SECONDS = 20.0  # that a search may take


@dataclass(frozen=True, slots=True)
class Found:
    """Matches by position: `first` and `last` tokens of each [m], `last` included. All that begin
    before the token `searched_to` are there.
    """

    first: np.ndarray
    last: np.ndarray
    searched_to: int


def find(
    store: ActivationStore,
    vocabulary: Vocabulary,
    text: str,
    *,
    case_sensitive: bool = False,
    start: int = 0,
    most: int = MOST,
    seconds: float = SECONDS,
) -> Found:
    """All places where `text` stands from token `start` on, those that overlap included; fewer
    when there are more than `most`, or when it takes longer than `seconds`.
    """
    sought = text.encode()
    spelled = vocabulary.bytes
    if not case_sensitive:
        sought, spelled = sought.lower(), vocabulary.lower_bytes
    deadline, to, n = time.monotonic() + seconds, start, 0
    firsts, lasts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for first, last, to in _searched(store, spelled, sought, start):
        enough = _enough(first, most - n)
        firsts.append(first[:enough])
        lasts.append(last[:enough])
        n += enough
        if n >= most:
            to = int(firsts[-1][-1]) + 1
        if n >= most or time.monotonic() > deadline:
            break
    return Found(np.concatenate(firsts), np.concatenate(lasts), to)


def _enough(first: np.ndarray, most: int) -> int:
    """`most`, and those that begin in the same token as the last of them."""
    if len(first) <= most:
        return len(first)
    return int(np.searchsorted(first, first[most - 1], side="right"))


def _searched(
    store: ActivationStore, spelled: pa.Array, sought: bytes, start: int
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """First and last tokens of the matches, block by block, and the token that is next."""
    begun = start
    for low in range(start, store.n_tokens, BLOCK):
        stop = min(low + BLOCK, store.n_tokens)
        text, ends = joined(store.token_ids(begun, stop), spelled)
        kept = stop - begun  # tokens in which a match begins that ends in this block
        if stop < store.n_tokens:
            kept = int(np.searchsorted(ends, len(text) - (len(sought) - 1), side="right"))
        first, last = _matches(text, ends, sought)
        first, last = first[first < kept] + begun, last[first < kept] + begun
        inside = store.documents_at(first) == store.documents_at(last)
        begun += kept
        yield first[inside], last[inside], begun


def joined(ids: np.ndarray, spelled: pa.Array) -> tuple[bytes, np.ndarray]:
    """The bytes of the tokens, and the byte after each of them [n]."""
    index = ids.astype(np.int64)
    taken = pc.take(spelled, pa.array(index, mask=index >= len(spelled)))
    _, offsets, data = taken.buffers()
    at = np.frombuffer(offsets, np.int32)[taken.offset : taken.offset + len(taken) + 1]
    text = b"" if data is None else memoryview(data)[at[0] : at[-1]].tobytes()
    return text, (at[1:] - at[0]).astype(np.int64)


def _matches(text: bytes, ends: np.ndarray, sought: bytes) -> tuple[np.ndarray, np.ndarray]:
    at = np.fromiter(_places(text, sought), np.int64)
    first = np.searchsorted(ends, at, side="right")
    return first, np.searchsorted(ends, at + len(sought) - 1, side="right")


def _places(text: bytes, sought: bytes) -> Iterator[int]:
    at = text.find(sought)
    while at >= 0:
        yield at
        at = text.find(sought, at + 1)
