"""A feature by the documents' metadata, with how much more often it fires than elsewhere.

Tokens of a document are not independent of each other, so the intervals take documents as what is
drawn: each adds its activations x and its tokens m. With one token in each document and groups that
have no document in common this is the interval of Katz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.errors import InvalidArgument
from services.evidence.bounds import of_ratio
from services.evidence.requests import BreakdownQuery
from services.stores.reading import Reading
from services.types.features import MetadataGroup

_LEAST = 2  # documents with the feature: from one nothing can be said about others


def breakdown(reading: Reading, query: BreakdownQuery) -> tuple[MetadataGroup, ...]:
    """The values of a column with the highest densities.

    Raises:
        InvalidArgument: there is no such column.
    """
    store, columns = reading.store, reading.store.spec.metadata
    if query.column not in columns:
        raise InvalidArgument(
            f"documents have no metadata column {query.column[:100]!r}: there are "
            f"{', '.join(columns) or 'none'}",
            columns=list(columns),
        )
    table = store.breakdown(query.feature_id, query.column)
    counted = _Counted.of(reading, query.feature_id, query.column)
    at = pc.index_in(table.column("value").combine_chunks(), value_set=counted.values)
    density = counted.x.sum() / max(counted.m.sum(), 1)
    rows = zip(table.to_pylist(), at.to_pylist(), strict=True)
    groups = [_group(row, counted, group, float(density)) for row, group in rows]
    return tuple(groups[: query.limit])


@dataclass(frozen=True, slots=True)
class _Counted:
    """By document: its group, activations and counted tokens."""

    values: pa.Array  # of the groups
    group: np.ndarray
    x: np.ndarray
    m: np.ndarray

    @classmethod
    def of(cls, reading: Reading, feature: int, column: str) -> _Counted:
        store = reading.store
        table = store.documents([column, "n_counted"])
        values = table.column(column).combine_chunks()
        encoded = pc.dictionary_encode(values, null_encoding="encode")
        fired = store.documents_at(store.feature(feature).positions)
        return cls(
            encoded.dictionary,
            encoded.indices.to_numpy(zero_copy_only=False),
            np.bincount(fired, minlength=store.n_documents).astype(np.float64),
            table.column("n_counted").to_numpy().astype(np.float64),
        )

    def log_variance(self, group: int) -> float:
        """Of the logarithm of the group's density ÷ the whole corpus' density, linearised."""
        inside = self.group == group
        x, m, all_x, all_m = self.x[inside], self.m[inside], self.x.sum(), self.m.sum()
        share = -(self.x - all_x / all_m * self.m) / all_x
        share[inside] += (x - x.sum() / m.sum() * m) / x.sum()
        return float(np.square(share).sum())


def _group(row: dict[str, Any], counted: _Counted, group: int, density: float) -> MetadataGroup:
    lift = row["token_density"] / density if density else None
    bounds = None
    if lift is not None and row["documents_fired"] >= _LEAST:
        bounds = of_ratio(lift, counted.log_variance(group))
    return MetadataGroup(
        value=row["value"],
        n_documents=row["n_documents"],
        documents_fired=row["documents_fired"],
        n_counted=row["n_counted"],
        n=row["n"],
        density=row["token_density"],
        lift=lift,
        lift_bounds=bounds,
        mean=row["mean"],
        max=row["max"],
    )
