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
    # Columns may have a value of its own for each document: no more than what is shown is made.
    table = store.breakdown(query.feature_id, query.column).slice(0, query.limit).combine_chunks()
    counted = _Counted.of(reading, query.feature_id, query.column)
    at = pc.index_in(table.column("value").combine_chunks(), value_set=counted.values)
    density = counted.x.sum() / max(counted.m.sum(), 1)
    variances = counted.log_variances()[at.to_numpy()].tolist() if len(table) else []
    rows = zip(table.to_pylist(), variances, strict=True)
    return tuple(_group(row, float(density), variance) for row, variance in rows)


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

    def log_variances(self) -> np.ndarray:
        """Of the logarithm of each group's density ÷ the whole corpus' density, linearised; what
        it is of groups without activations has no meaning.
        """
        x, m = (self._sums(column) for column in (self.x, self.m))
        with np.errstate(invalid="ignore", divide="ignore"):
            outside = -(self.x - self.x.sum() / self.m.sum() * self.m) / self.x.sum()
            own = (self.x - (x / m)[self.group] * self.m) / x[self.group]
            squares = np.square(outside)
            rest = np.maximum(squares.sum() - self._sums(squares), 0)
            return np.asarray(rest + self._sums(np.square(outside + own)))

    def _sums(self, column: np.ndarray) -> np.ndarray:
        return np.bincount(self.group, column, minlength=len(self.values))


def _group(row: dict[str, Any], density: float, log_variance: float) -> MetadataGroup:
    lift = row["token_density"] / density if density else None
    bounds = None
    if lift is not None and row["documents_fired"] >= _LEAST:
        bounds = of_ratio(lift, log_variance)
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
