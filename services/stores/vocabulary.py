"""`vocabulary.parquet`: what token ids read as, kept with the store so that it is readable
without the model.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from services.errors import Unsupported
from services.store.errors import DamagedStore
from services.store.storage import Storage
from services.stores.arrow import RecordStream

VOCABULARY = "vocabulary.parquet"
SCHEMA = pa.schema(
    [
        ("token_id", pa.uint32()),
        ("text", pa.string()),  # as it is shown
        ("bytes", pa.binary()),  # what it adds to a text in UTF-8; may be a part of a character
        ("is_special", pa.bool_()),
    ]
)
NO_VOCABULARY = (
    f"the store has no {VOCABULARY}: token ids cannot be shown as text. Extractions write it; add "
    "it beside store.json with the columns token_id, text, bytes and is_special"
)


class Vocabulary:
    """Tokens by id; ids that the file does not list read as [id] and add nothing to a text."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table.select(SCHEMA.names).cast(SCHEMA).combine_chunks()
        ids = self.table.column("token_id").to_numpy().astype(np.int64)
        rows = np.full(int(ids.max(initial=-1)) + 1, -1, np.int64)
        rows[ids] = np.arange(len(ids))
        self._rows = rows
        self._texts = self._column("text")
        self._special = self._column("is_special")
        self.bytes = self._column("bytes")  # of each id

    @property
    def size(self) -> int:
        """One more than the largest id."""
        return len(self._rows)

    @cached_property
    def lower_bytes(self) -> pa.Array:
        """`bytes` with A to Z as a to z."""
        return pa.array([b.lower() for b in self.bytes.to_pylist()], pa.binary())

    def ids_by_text(self) -> dict[str, int]:
        """The first token with each text."""
        found: dict[str, int] = {}
        for token_id, text in sorted(self._pairs()):
            found.setdefault(text, token_id)
        return found

    def texts_by_id(self) -> dict[str, str]:
        """All texts; ids as JSON has them."""
        return {str(token_id): text for token_id, text in self._pairs()}

    def stream(self) -> RecordStream:
        """The table as it is kept."""
        return RecordStream(SCHEMA, iter(self.table.to_batches()), are_views=True)

    def texts(self, ids: np.ndarray) -> list[str]:
        """What each token reads as on its own."""
        known = pc.take(self._texts, self._known(ids)).to_pylist()
        return [f"[{i}]" if t is None else t for i, t in zip(ids.tolist(), known, strict=True)]

    def special(self, ids: np.ndarray) -> list[bool]:
        """Which of the tokens are BOS and the like; those that are not listed are not."""
        return [bool(flag) for flag in pc.take(self._special, self._known(ids)).to_pylist()]

    def joined(self, ids: np.ndarray) -> str:
        """What the tokens read as together; a character that is cut at an end is replaced."""
        return "".join(self.pieces(ids))

    def pieces(self, ids: np.ndarray) -> list[str]:
        """For each token the characters that end in it; what ends nowhere is in the last one."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        found = [self._piece(decoder, *token) for token in self._spelled(ids)]
        if found:
            found[-1] += decoder.decode(b"", final=True)
        return found

    def _pairs(self) -> Iterator[tuple[int, str]]:
        columns = (self.table.column(name).to_pylist() for name in ("token_id", "text"))
        yield from zip(*columns, strict=True)

    def _spelled(self, ids: np.ndarray) -> Iterator[tuple[str, bytes, bool]]:
        known = self._known(ids)
        special = pc.take(self._special, known).to_pylist()
        yield from zip(
            self.texts(ids), pc.take(self.bytes, known).to_pylist(), special, strict=True
        )

    def _piece(
        self, decoder: codecs.IncrementalDecoder, text: str, spelled: bytes | None, special: bool
    ) -> str:
        if special and not spelled:  # no part of the text: shown as it is named
            return decoder.decode(b"", final=True) + text
        return decoder.decode(spelled or b"")

    def _known(self, ids: np.ndarray) -> pa.Array:
        """The ids as indices; null for those beyond the last."""
        ids = ids.astype(np.int64)
        return pa.array(ids, mask=ids >= self.size)

    def _column(self, name: str) -> pa.Array:
        column = self.table.column(name).combine_chunks()
        empty = b"" if name == "bytes" else None
        taken = column.take(pa.array(self._rows, mask=self._rows < 0))
        return taken if empty is None else taken.fill_null(empty)


def read_vocabulary(storage: Storage) -> Vocabulary | None:
    """The store's vocabulary; None when it has none.

    Raises:
        DamagedStore: there is one, and it cannot be read.
    """
    if VOCABULARY not in storage.names(""):
        return None
    try:
        return Vocabulary(pq.read_table(storage.arrow(VOCABULARY)))
    except (pa.ArrowException, KeyError, OSError) as error:
        problem = f"{VOCABULARY} cannot be read: {type(error).__name__}"
        raise DamagedStore(problem, path=VOCABULARY) from None


def required(vocabulary: Vocabulary | None) -> Vocabulary:
    """The vocabulary; Unsupported says what to do when there is none."""
    if vocabulary is None:
        raise Unsupported(NO_VOCABULARY)
    return vocabulary
