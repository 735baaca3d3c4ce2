"""Corpora that read as text, cut into tokens anywhere: also within characters."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.stores.vocabulary import SCHEMA, VOCABULARY
from tests.made_stores import Dense, build, dense

CHARACTERS = "aabbABAB   éß猫犬😀"
BOS = 0


class Texts:
    """A dense corpus and what its tokens spell; each document begins with BOS, which spells
    nothing.
    """

    def __init__(self, n: int = 900, seed: int = 0, **options) -> None:
        self.corpus: Dense = dense(n, seed=seed, **options)
        rng, ids = np.random.default_rng(seed), {b"": BOS}
        self.pieces: list[bytes] = []  # of each token
        for starts in self.corpus.starts:
            self.pieces.append(b"" if starts else _next_piece(rng, self.pieces))
            ids.setdefault(self.pieces[-1], len(ids))
        self.corpus.token_ids[:] = [ids[piece] for piece in self.pieces]
        self.spelled = list(ids)

    def build(self, folder: str | Path) -> Path:
        """A complete store with its vocabulary."""
        build(folder, self.corpus)
        self.write_vocabulary(folder)
        return Path(folder)

    def write_vocabulary(self, folder: str | Path) -> None:
        table = pa.table(
            {
                "token_id": range(len(self.spelled)),
                "text": [shown(piece) for piece in self.spelled],
                "bytes": self.spelled,
                "is_special": [not piece for piece in self.spelled],
            }
        )
        pq.write_table(table.cast(SCHEMA), Path(folder) / VOCABULARY)

    @cached_property
    def _documents(self) -> list[tuple[list[int], bytes]]:
        """The token of each byte, and the bytes."""
        found = []
        for number in range(int(self.corpus.starts.sum())):
            at = np.flatnonzero(self.corpus.document_of == number)
            owner = [int(t) for t in at for _ in self.pieces[t]]
            found.append((owner, b"".join(self.pieces[t] for t in at)))
        return found

    def matches(self, text: str, case_sensitive: bool = False) -> list[tuple[int, int]]:
        """First and last token of each place where the text stands, by brute force."""
        found, sought = [], text.encode()
        for owner, spelled in self._documents:
            if not case_sensitive:
                sought, spelled = sought.lower(), spelled.lower()
            for byte in range(len(spelled) - len(sought) + 1):
                if spelled[byte : byte + len(sought)] == sought:
                    found.append((owner[byte], owner[byte + len(sought) - 1]))
        return found


def shown(piece: bytes) -> str:
    return piece.decode("utf-8", "backslashreplace") if piece else "<bos>"


def _next_piece(rng: np.random.Generator, before: list[bytes]) -> bytes:
    """One to five bytes of a text; what is left of a character comes first."""
    left = _unfinished(b"".join(before[-8:]))
    text = left + "".join(rng.choice(list(CHARACTERS), 5)).encode()
    return text[: int(rng.integers(1, 6))]


def _unfinished(spelled: bytes) -> bytes:
    """The bytes that are missing to the last character."""
    for character in set(CHARACTERS):
        encoded = character.encode()
        for cut in range(1, len(encoded)):
            if spelled.endswith(encoded[:cut]):
                return encoded[cut:]
    return b""
