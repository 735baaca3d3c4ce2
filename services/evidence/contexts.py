"""Activations in their text: with the document they are in, and which tokens are masked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from services.evidence.cache import Cache
from services.store import Activations
from services.stores.contexts import context
from services.stores.reading import Reading
from services.types.features import EvidenceExample
from services.types.stores import StoreContext, StoreExample

_DOCUMENTS_KEPT = 2**19  # a table of more is not kept in memory


class Contexts:
    """Examples of the stores; keeps the documents of those used last."""

    def __init__(self) -> None:
        self._documents = Cache(4)

    def examples(
        self,
        reading: Reading,
        found: Activations,
        positions: np.ndarray,
        values: np.ndarray,
        width: int,
    ) -> tuple[EvidenceExample, ...]:
        """The feature that was `found` at `positions`, in this order."""
        contexts = [context(reading, p, width, found=found) for p in positions.tolist()]
        documents = self._rows(reading, [c.document for c in contexts])
        return tuple(
            EvidenceExample(
                StoreExample(value, around),
                document=documents[around.document][0],
                metadata=documents[around.document][1],
                special=special(reading, around),
            )
            for value, around in zip(values.tolist(), contexts, strict=True)
        )

    def _rows(
        self, reading: Reading, numbers: Sequence[int]
    ) -> Mapping[int, tuple[str | None, Mapping[str, Any]]]:
        """Name and metadata of each document."""
        store, wanted = reading.store, sorted(set(numbers))
        if store.n_documents > _DOCUMENTS_KEPT:
            found = [store.document(number) for number in wanted]
            return {d.document: (d.name, d.metadata) for d in found}
        columns = ["name", *store.spec.metadata]
        table = self._documents.get(reading, "documents", lambda: store.documents(columns))
        rows = table.take(pa.array(wanted, pa.int64())).to_pylist()
        return {n: (row.pop("name"), row) for n, row in zip(wanted, rows, strict=True)}


def special(reading: Reading, around: StoreContext) -> tuple[bool, ...]:
    """Which tokens are BOS and the like; none where the store does not say."""
    if reading.vocabulary is None:
        return (False,) * len(around.token_ids)
    return tuple(reading.vocabulary.special(np.array(around.token_ids, np.int64)))
