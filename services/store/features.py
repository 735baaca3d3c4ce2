"""`features.parquet`: one row per feature, with its statistics and where its activations are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from services.store.arrow_files import required
from services.store.scratch import Scratch
from services.store.spec import Layout
from services.store.statistics.blocks import Block, SortedValues
from services.store.statistics.distribution import (
    QUANTILES,
    LogHistograms,
    extremes,
    linear_histogram,
    log_histograms,
    quantiles,
)
from services.store.statistics.examples import Examples, interval_examples, top_examples
from services.store.statistics.moments import moments

ROWS_PER_GROUP = 4096  # what reading one feature's statistics decodes at most


@dataclass(frozen=True, slots=True)
class Totals:
    """What densities are shares of."""

    n_counted: int  # tokens that count
    n_documents: int


def quantile_name(share: float) -> str:
    """p05 for 0.05."""
    return f"p{round(100 * share):02d}"


_FLOATS = ("min", "max", "mean", "std", *map(quantile_name, QUANTILES))
_LISTS: Mapping[str, pa.DataType] = {
    "histogram": pa.uint64(),
    "log_bin": pa.int16(),
    "log_count": pa.uint64(),
    "negative_log_bin": pa.int16(),
    "negative_log_count": pa.uint64(),
    "top_position": pa.uint32(),
    "top_value": pa.float32(),
    "interval": pa.uint8(),
    "interval_position": pa.uint32(),
    "interval_value": pa.float32(),
}
SCHEMA = pa.schema(
    [
        required("feature", pa.uint32()),
        required("n", pa.uint64()),
        required("n_documents", pa.uint64()),
        required("token_density", pa.float64()),
        required("document_density", pa.float64()),
        pa.field("idf", pa.float64()),
        required("sum", pa.float64()),
        required("sum_squares", pa.float64()),
        *(pa.field(name, pa.float64()) for name in _FLOATS),
        *(pa.field(name, pa.list_(kind)) for name, kind in _LISTS.items()),
        required("file", pa.int32()),
        required("position_offset", pa.int64()),
        required("value_offset", pa.int64()),
    ]
)
PLACES = ("file", "position_offset", "value_offset")
SCALARS = tuple(
    field.name for field in SCHEMA if field.name not in (*_LISTS, *PLACES)
)  # what features can be sorted by


def statistics_of(
    block: Block, n_documents: np.ndarray, totals: Totals, layout: Layout, scratch: Scratch
) -> pa.RecordBatch:
    """Rows of the block's features; the places are not known yet and zero."""
    ordered, found = SortedValues(block, scratch), moments(block)
    low, high = extremes(ordered)
    numbers = np.arange(block.first, block.first + block.n_features, dtype=np.uint32)
    columns: dict[str, pa.Array] = {
        "feature": pa.array(numbers),
        "n": pa.array(found.n.astype(np.uint64)),
        "n_documents": pa.array(n_documents.astype(np.uint64)),
        "token_density": pa.array(found.n / max(totals.n_counted, 1)),
        "document_density": pa.array(n_documents / max(totals.n_documents, 1)),
        "idf": _or_null(_idf(n_documents, totals.n_documents)),
        "sum": pa.array(found.sum),
        "sum_squares": pa.array(found.sum_squares),
    }
    measured = (low, high, found.mean, found.std, *quantiles(ordered).T)
    floats = dict(zip(_FLOATS, measured, strict=True))
    columns |= {name: _or_null(values) for name, values in floats.items()}
    columns |= _distribution_columns(ordered, low, high)
    columns |= _example_columns(block, ordered, low, high, layout)
    columns |= {name: pa.array(np.zeros(block.n_features, np.int64)) for name in PLACES}
    arrays = [columns[field.name].cast(field.type) for field in SCHEMA]
    return pa.record_batch(arrays, schema=SCHEMA)


def _idf(n_documents: np.ndarray, total: int) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.where(n_documents > 0, np.log(total / n_documents), np.nan)


def _or_null(values: np.ndarray) -> pa.Array:
    return pa.array(values, from_pandas=True)  # NaN is null


def _distribution_columns(
    ordered: SortedValues, low: np.ndarray, high: np.ndarray
) -> dict[str, pa.Array]:
    counts = linear_histogram(ordered, low, high)
    counts_of = ordered.block.counts
    offsets = np.concatenate([[0], np.cumsum(np.where(counts_of > 0, counts.shape[1], 0))])
    linear = counts[counts_of > 0].ravel()
    positive, negative = log_histograms(ordered)
    f = ordered.block.n_features
    return {
        "histogram": _list(offsets, linear),
        "log_bin": _grouped(positive, positive.bin, f),
        "log_count": _grouped(positive, positive.count, f),
        "negative_log_bin": _grouped(negative, negative.bin, f),
        "negative_log_count": _grouped(negative, negative.count, f),
    }


def _example_columns(
    block: Block, ordered: SortedValues, low: np.ndarray, high: np.ndarray, layout: Layout
) -> dict[str, pa.Array]:
    top = top_examples(ordered, layout.top_examples)
    spread = interval_examples(block, low, high, layout.intervals, layout.interval_examples)
    f = block.n_features
    return {
        "top_position": _grouped(top, top.position, f),
        "top_value": _grouped(top, top.value.astype(np.float32), f),
        "interval": _grouped(spread, spread.interval, f),
        "interval_position": _grouped(spread, spread.position, f),
        "interval_value": _grouped(spread, spread.value.astype(np.float32), f),
    }


def _grouped(rows: Examples | LogHistograms, column: np.ndarray, n_features: int) -> pa.Array:
    lengths = np.bincount(rows.feature, minlength=n_features)
    return _list(np.concatenate([[0], np.cumsum(lengths)]), column)


def _list(offsets: np.ndarray, items: np.ndarray) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(items))


def placed(table: pa.Table, file: int, positions: np.ndarray, values: np.ndarray) -> pa.Table:
    """The rows with the number of their file and the byte offsets [f] of their activations."""
    columns = (np.full(table.num_rows, file), positions, values)
    for name, column in zip(PLACES, columns, strict=True):
        at = SCHEMA.get_field_index(name)
        table = table.set_column(at, SCHEMA.field(at), pa.array(column, SCHEMA.field(at).type))
    return table
