"""Activations of a feature, as pages and as record batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from services.store import Activations, Page
from services.store.selection import Selector
from services.stores.arrow import RecordStream
from services.stores.reading import Reading
from services.stores.requests import ActivationsQuery, ArrowQuery
from services.stores.selecting import selection
from services.types.stores import ActivationsPage

_BATCH = 2**18  # activations in a record batch


def activations_page(reading: Reading, feature: int, query: ActivationsQuery) -> ActivationsPage:
    """Some activations by position, or a sample of all that are selected."""
    store, chosen = reading.store, selection(query, reading.store.spec)
    if query.sample is not None:
        some = store.sample(feature, query.sample, query.seed, chosen)
        page = Page(feature, some.positions, some.values, None)
    else:
        page = store.page(feature, after=query.after, limit=query.limit, selection=chosen)
    return ActivationsPage(
        feature=feature,
        n=len(store.feature(feature)),
        positions=tuple(page.positions.tolist()),
        values=tuple(page.values.tolist()),
        documents=tuple(store.documents_at(page.positions).tolist()),
        next_after=page.next_after,
    )


def activations_stream(reading: Reading, feature: int, query: ArrowQuery) -> RecordStream:
    """All selected activations: columns position, value as it is stored, and document if asked.

    On a complete local store and without filters, nothing is copied: the batches are views of
    its file. With filters a batch at a time is in memory.
    """
    store, chosen = reading.store, selection(query, reading.store.spec)
    if query.sample is not None:
        found, selector = store.sample(feature, query.sample, query.seed, chosen), None
    else:
        found = store.feature(feature)
        selector = None if chosen.everything else store.selector(chosen)
    schema = _schema(reading, feature, found, query.documents)
    is_view = selector is None and not query.documents
    return RecordStream(schema, _batches(reading, schema, found, selector), is_view)


def _schema(reading: Reading, feature: int, found: Activations, documents: bool) -> pa.Schema:
    columns = {"position": pa.uint32(), "value": pa.from_numpy_dtype(found.values.dtype)}
    if documents:
        columns["document"] = pa.uint32()
    facts = {
        "feature": str(feature),
        "store_id": reading.store_id,
        "version": str(reading.store.manifest.version),
    }
    fields = [pa.field(name, kind, nullable=False) for name, kind in columns.items()]
    return pa.schema(fields, metadata=facts)


def _batches(
    reading: Reading, schema: pa.Schema, found: Activations, selector: Selector | None
) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(found), _BATCH):
        cut = slice(start, start + _BATCH)
        positions, values = found.positions[cut], found.values[cut]
        if selector is not None:
            chosen = np.flatnonzero(selector.mask(positions, values))  # faster than the mask
            positions, values = positions[chosen], values[chosen]
        columns = [_viewed(positions, schema.field(0).type), _viewed(values, schema.field(1).type)]
        if "document" in schema.names:
            numbers = reading.store.documents_at(positions).astype(np.uint32)
            columns.append(_viewed(numbers, pa.uint32()))
        if len(positions):
            yield pa.record_batch(columns, schema=schema)


def _viewed(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])
