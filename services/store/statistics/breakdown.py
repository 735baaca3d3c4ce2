"""A feature by the documents' metadata."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def breakdown(
    column: pa.ChunkedArray,
    n_counted: np.ndarray,
    document_of: np.ndarray,
    values: np.ndarray,
) -> pa.Table:
    """Per value of a metadata column (null is one): documents, counted tokens, documents and
    tokens where the feature fires, both densities, mean and largest activation.

    `column` and `n_counted` are per document, `document_of` and `values` per activation. Groups
    with the highest token density come first, equal ones by value.
    """
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    group = encoded.indices.to_numpy(zero_copy_only=False)
    size = len(encoded.dictionary)
    documents = np.bincount(group, minlength=size)
    tokens = np.bincount(group, n_counted, minlength=size).astype(np.int64)
    fired_in = np.bincount(group[np.unique(document_of)], minlength=size)
    n, mean, largest = _per_group(group[document_of], values.astype(np.float64), size)
    columns = {
        "value": encoded.dictionary,
        "n_documents": documents,
        "n_counted": tokens,
        "documents_fired": fired_in,
        "n": n,
        "token_density": n / np.maximum(tokens, 1),
        "document_density": fired_in / documents,
        "mean": pa.array(mean, from_pandas=True),
        "max": pa.array(largest, from_pandas=True),
    }
    return pa.table(columns).sort_by([("token_density", "descending"), ("value", "ascending")])


def _per_group(
    group: np.ndarray, values: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number, mean and largest of the values of each group; NaN where there is none."""
    n = np.bincount(group, minlength=size)
    largest = np.full(size, -np.inf)
    np.maximum.at(largest, group, values)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(group, values, minlength=size) / n
    return n, mean, np.where(n > 0, largest, np.nan)
