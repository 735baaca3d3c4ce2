"""How often each token stands in a corpus, and in how many of its documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from services.store.arrow_files import required

COUNTS_SCHEMA = pa.schema(
    [
        required("token_id", pa.uint32()),
        required("count", pa.int64()),
        required("documents", pa.int64()),
    ]
)


@dataclass(frozen=True)
class TokenCounts:
    """Arrays by token id, up to the largest that occurs; of counted tokens only."""

    count: np.ndarray  # [size] int64
    documents: np.ndarray  # [size] int64
    n_counted: int  # tokens
    n_documents: int

    @classmethod
    def read(cls, table: pa.Table, n_counted: int, n_documents: int) -> TokenCounts:
        """From the rows of the tokens that occur."""
        ids, count, documents = (column.to_numpy() for column in table.columns)
        size = int(ids.max(initial=0)) + 1
        found = np.zeros((2, size), np.int64)
        found[0, ids], found[1, ids] = count, documents
        return cls(found[0], found[1], n_counted, n_documents)


class Counting:
    """Counts tokens block by block, in the order of the corpus."""

    def __init__(self) -> None:
        self._count = np.zeros(0, np.int64)
        self._documents = np.zeros(0, np.int64)
        self._open = -1  # the last block's last document, which may go on
        self._seen = np.zeros(0, np.int64)  # its tokens so far

    def add(self, ids: np.ndarray, documents: np.ndarray) -> None:
        """Tokens and the document of each [n], both int64, `documents` ascending."""
        if not len(ids):
            return
        self._make_room(int(ids.max()) + 1)
        counted = np.bincount(ids)
        self._count[: len(counted)] += counted
        size = len(self._count)
        pairs = np.unique((documents - documents[0]) * size + ids)
        number, token = pairs // size + documents[0], pairs % size
        again = (number == self._open) & np.isin(token, self._seen)
        fresh = np.bincount(token[~again], minlength=size)
        self._documents += fresh
        last = int(documents[-1])
        seen = token[number == last]
        self._seen = np.union1d(self._seen, seen) if last == self._open else seen
        self._open = last

    def table(self) -> pa.Table:
        """A row for each token that occurs."""
        ids = np.flatnonzero(self._count)
        columns = [ids.astype(np.uint32), self._count[ids], self._documents[ids]]
        return pa.table([pa.array(column) for column in columns], schema=COUNTS_SCHEMA)

    def _make_room(self, size: int) -> None:
        if (more := size - len(self._count)) > 0:
            self._count = np.pad(self._count, (0, more))
            self._documents = np.pad(self._documents, (0, more))
