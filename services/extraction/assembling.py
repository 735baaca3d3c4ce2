"""What was found in the windows of a pool, put back in the order of the corpus for the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.extraction.passes import Counting
from services.extraction.windows import Pool
from services.sae.encode_sparse import SparseRows, joined
from services.store import Batch


@dataclass(frozen=True, slots=True)
class PoolTokens:
    """The stored tokens of a pool, the same for every SAE."""

    token_ids: np.ndarray  # [n] uint32
    starts: np.ndarray  # [n] bool
    counted: np.ndarray  # [n] bool
    documents: Sequence[Mapping[str, Any]]
    position: int

    def batch(self, windows: Sequence[SparseRows]) -> Batch:
        """The tokens with an SAE's features: those of the counted tokens, window by window."""
        rows = joined(list(windows))
        lengths = np.zeros(len(self.token_ids), np.int64)
        lengths[self.counted] = rows.lengths
        return Batch(
            token_ids=self.token_ids,
            indptr=np.concatenate([[0], np.cumsum(lengths)]),
            features=rows.features,
            values=rows.values,
            starts=self.starts,
            documents=self.documents,
            counted=self.counted,
            position=self.position,
        )


def tokens_of(pool: Pool, counting: Counting, columns: Sequence[str]) -> PoolTokens:
    """The stored tokens of a pool; its documents keep their name and these columns."""
    items = pool.items
    starts = np.zeros(pool.n_tokens, bool)
    lengths = [item.stored for item in items]
    firsts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    starts[firsts[[item.begins is not None for item in items]]] = True
    documents = [
        {"name": d.name, **{column: d.metadata.get(column) for column in columns}}
        for d in (item.begins for item in items)
        if d is not None
    ]
    return PoolTokens(
        token_ids=np.concatenate([np.array(item.token_ids, np.uint32) for item in items]),
        starts=starts,
        counted=np.concatenate([counting.of(item) for item in items]),
        documents=documents,
        position=pool.place.position,
    )
