"""Documents of a store: listed, and one of them with its tokens or with what fires in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from services.store.document_side import Document
from services.stores.contexts import tokens
from services.stores.reading import Reading
from services.stores.requests import DocumentFeaturesQuery, DocumentQuery, DocumentsQuery
from services.stores.selecting import where
from services.types.stores import DocumentPart, StoreDocument, StoreDocuments

_PLAIN = ("document", "name", "start", "n_tokens", "n_counted")


def documents_page(reading: Reading, query: DocumentsQuery) -> StoreDocuments:
    """Documents in order; with a filter those that pass."""
    store, chosen = reading.store, where(query.columns, reading.store.spec)
    stop = query.offset + query.limit
    if chosen is None:
        total, rows = store.n_documents, store.documents_slice(query.offset, stop)
    else:
        numbers = store.documents_where(chosen)
        total = len(numbers)
        rows = store.documents().take(pa.array(numbers[query.offset : stop]))
    more = stop if stop < total else None
    return StoreDocuments(tuple(_listed(rows)), total, more)


def _listed(rows: pa.Table) -> Iterator[StoreDocument]:
    for row in rows.to_pylist():
        plain: dict[str, Any] = {name: row.pop(name) for name in _PLAIN}
        yield StoreDocument(**plain, metadata=row)


def document(reading: Reading, number: int, query: DocumentQuery) -> DocumentPart:
    """A document with its tokens from `offset` on."""
    found = reading.store.document(number)
    stop = min(query.offset + query.limit, found.n_tokens)
    if query.offset >= stop:
        return DocumentPart(_of(found), (), _text(reading, np.empty(0, np.uint32)), None)
    rows = reading.store.tokens(found.start + query.offset, found.start + stop)
    more = stop if stop < found.n_tokens else None
    return DocumentPart(_of(found), tokens(reading, rows), _text(reading, rows.token_ids), more)


def document_features(reading: Reading, number: int, query: DocumentFeaturesQuery) -> pa.Table:
    """The features that fire in a document, by number of tokens, sum or largest value."""
    found = reading.store.document_features(number)
    ordered = found.sort_by([(query.sort, "descending"), ("feature", "ascending")])
    return ordered.slice(0, query.limit)


def _of(found: Document) -> StoreDocument:
    plain: dict[str, Any] = {name: getattr(found, name) for name in _PLAIN}
    return StoreDocument(**plain, metadata=found.metadata)


def _text(reading: Reading, ids: np.ndarray) -> str | None:
    return None if reading.vocabulary is None else reading.vocabulary.joined(ids)
