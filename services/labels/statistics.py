"""What the order of the queue is made of: statistics of a store, and families of features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from services.errors import NotFound, Unavailable
from services.stores.reading import Reading
from services.stores.service import Stores

if TYPE_CHECKING:
    from services.extraction.service import Extractions

Families = Callable[[str], Sequence[Sequence[int]]]


class Statistics:
    """Columns of the store that statements about an SAE's features are made from."""

    def __init__(self, extractions: Extractions, stores: Stores, families: Families) -> None:
        self._extractions = extractions
        self._stores = stores
        self._families = families

    def column(self, sae_id: str, store_id: str | None, name: str) -> np.ndarray | None:
        """One number per feature, [d_sae] float64; None without a store.

        Raises:
            NotFound: there is no such store.
            Unavailable: the column is there once the store is complete.
        """
        if store_id is None:
            try:
                store_id = self._extractions.readable(sae_id).extraction_id
            except NotFound:
                return None
        return self._stores.read(store_id, lambda reading: _column(reading, name))

    def n_live(self, sae_id: str, store_id: str | None) -> int | None:
        """How many features fired at all; None without a store."""
        counts = self.column(sae_id, store_id, "n")
        return None if counts is None else int(np.count_nonzero(counts))

    def families(self, sae_id: str) -> Sequence[Sequence[int]]:
        """Features that write nearly the same, the largest family first."""
        return self._families(sae_id)


def _column(reading: Reading, name: str) -> np.ndarray:
    store = reading.store
    if store.complete:
        column = store.statistics_table([name]).column(name)
        return np.nan_to_num(column.to_numpy().astype(np.float64))
    counts = reading.counts.astype(np.float64)
    if name == "n":
        return counts
    if name == "token_density":
        return counts / max(store.n_counted, 1)
    raise Unavailable(
        f"{name} of all features is there once the store is complete; until then n and density"
    )
