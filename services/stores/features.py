"""Features of a store: a page of their statistics, one of them in full, all of them in brief."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from services.errors import InvalidArgument, Unavailable
from services.store import Activations
from services.store.features import PLACES, SCALARS, SCHEMA, quantile_name
from services.store.statistics.feature import FeatureStatistics, Histogram
from services.stores.arrow import RecordStream
from services.stores.contexts import context
from services.stores.reading import Reading
from services.stores.requests import BreakdownQuery, StoreFeatureQuery, StoreFeaturesQuery
from services.types.stores import (
    ExampleInterval,
    FeaturesPage,
    StoreExample,
    StoreFeature,
    StoreHealth,
    StoreHistogram,
    StoreSummary,
)

_LIVE = ("feature", "n", "token_density")  # what is known of all features while a store fills
_DENSITY_BINS = np.arange(-10, 0.01, 0.25)  # log10


def features_page(reading: Reading, query: StoreFeaturesQuery) -> FeaturesPage:
    """The features that pass, in order; equal ones by number.

    Raises:
        Unavailable: the store fills, and what is asked of it is known only once it is complete.
    """
    table = _scalars(reading, {query.sort, *(column for column, _, _ in query.ranges)})
    chosen = np.flatnonzero(_passing(table, query))
    ordered = chosen[_order(table, chosen, query)]
    shown = ordered[query.offset : query.offset + query.limit]
    end = query.offset + len(shown)
    missing = dict.fromkeys(SCALARS)
    rows = [missing | row for row in table.take(pa.array(shown)).to_pylist()]
    more = end if len(shown) and end < len(ordered) else None
    return FeaturesPage(tuple(rows), len(ordered), more)


def _scalars(reading: Reading, asked: set[str]) -> pa.Table:
    if reading.store.complete:
        return reading.store.statistics_table(SCALARS)
    if unknown := asked - {*_LIVE}:
        raise Unavailable(
            f"{', '.join(sorted(unknown))} of all features are there once the store is complete; "
            f"until then {', '.join(_LIVE)}"
        )
    n = reading.counts
    density = n / max(reading.store.n_counted, 1)
    arrays = [pa.array(np.arange(len(n))), pa.array(n), pa.array(density)]
    return pa.table(arrays, names=list(_LIVE))


def _passing(table: pa.Table, query: StoreFeaturesQuery) -> np.ndarray:
    passing = np.ones(table.num_rows, bool)
    if query.dead is not None:
        passing &= (_numbers(table, "n") == 0) == query.dead
    for column, low, high in query.ranges:
        numbers = _numbers(table, column)
        passing &= ~np.isnan(numbers)
        passing &= numbers >= (-np.inf if low is None else low)
        passing &= numbers <= (np.inf if high is None else high)
    return passing


def _order(table: pa.Table, chosen: np.ndarray, query: StoreFeaturesQuery) -> np.ndarray:
    numbers = _numbers(table, query.sort)[chosen]
    missing = np.isnan(numbers)
    return np.lexsort((chosen, -numbers if query.descending else numbers, missing))


def _numbers(table: pa.Table, column: str) -> np.ndarray:
    return table.column(column).cast(pa.float64(), safe=False).to_numpy()


def one_feature(reading: Reading, feature: int, query: StoreFeatureQuery) -> StoreFeature:
    """Everything that docs/statistics.md defines, with the text around the examples."""
    known, found = reading.store.statistics(feature), reading.store.feature(feature)

    def examples(positions: np.ndarray, values: np.ndarray) -> tuple[StoreExample, ...]:
        return _examples(reading, found, query.width, positions, values)

    cut, some = slice(query.examples), slice(query.per_interval)
    return StoreFeature(
        **_plain(known),
        is_dead=known.dead,
        is_final=reading.store.complete,
        quantiles={quantile_name(q): value for q, value in known.quantiles.items()},
        histogram=_histogram(known.histogram),
        log_histogram=_histogram(known.log_histogram),
        negative_log_histogram=_histogram(known.negative_log_histogram),
        top=examples(known.top_positions[cut], known.top_values[cut]),
        intervals=tuple(
            ExampleInterval(i.low, i.high, examples(i.positions[some], i.values[some]))
            for i in known.intervals
        ),
    )


def _plain(known: FeatureStatistics) -> Mapping[str, Any]:
    names = {"feature", "n", "n_documents", "token_density", "document_density", "idf"}
    return {name: getattr(known, name) for name in names | {"min", "max", "mean", "std"}}


def _examples(
    reading: Reading, found: Activations, width: int, positions: np.ndarray, values: np.ndarray
) -> tuple[StoreExample, ...]:
    pairs = zip(positions.tolist(), values.tolist(), strict=True)
    return tuple(StoreExample(v, context(reading, p, width, found=found)) for p, v in pairs)


def _histogram(found: Histogram) -> StoreHistogram:
    return StoreHistogram(tuple(found.edges.tolist()), tuple(found.counts.tolist()))


def summary(reading: Reading) -> StoreSummary:
    """How many features are dead, and how dense the others are."""
    density = reading.counts / max(reading.store.n_counted, 1)
    live = np.log10(density[density > 0])
    counts, edges = np.histogram(live, _DENSITY_BINS)
    return StoreSummary(
        n_features=len(density),
        n_dead=int((density == 0).sum()),
        l0=reading.store.l0,
        density_edges=tuple(np.round(edges, 2).tolist()),
        density_counts=tuple(counts.tolist()),
    )


def features_stream(reading: Reading) -> RecordStream:
    """The whole of `features.parquet`, without where its bytes are."""
    names = [name for name in SCHEMA.names if name not in PLACES]
    schema = pa.schema([SCHEMA.field(name) for name in names])
    batches = (batch.cast(schema) for batch in reading.store.statistics_batches(names))
    return RecordStream(schema, batches)


def breakdown(reading: Reading, feature: int, query: BreakdownQuery) -> pa.Table:
    """The values of a metadata column with the highest density.

    Raises:
        InvalidArgument: there is no such column.
    """
    columns = reading.store.spec.metadata
    if query.column not in columns:
        raise InvalidArgument(
            f"documents have no metadata column {query.column!r}: there are "
            f"{', '.join(columns) or 'none'}",
            columns=list(columns),
        )
    return reading.store.breakdown(feature, query.column).slice(0, query.limit)


def health(reading: Reading) -> StoreHealth:
    """How the store stands, and what `store.json` says."""
    store = reading.store
    spec = json.loads(store.spec.as_json())
    return StoreHealth(
        store_id=reading.store_id,
        is_complete=store.complete,
        version=store.manifest.version,
        n_tokens=store.n_tokens,
        n_counted=store.n_counted,
        n_documents=store.n_documents,
        nnz=store.nnz,
        l0=store.l0,
        size_bytes=sum(file.n_bytes for file in store.manifest.files()),
        has_vocabulary=reading.vocabulary is not None,
        provenance=spec.pop("provenance"),
        spec=spec,
    )
