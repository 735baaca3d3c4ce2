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
    groups = len(encoded.dictionary)
    documents = np.bincount(group, minlength=groups)
    tokens = np.bincount(group, n_counted, minlength=groups).astype(np.int64)
    of_activation = group[document_of]
    n = np.bincount(of_activation, minlength=groups)
    total = np.bincount(of_activation, values.astype(np.float64), minlength=groups)
    largest = np.full(groups, -np.inf)
    np.maximum.at(largest, of_activation, values.astype(np.float64))
    fired_in = np.bincount(group[np.unique(document_of)], minlength=groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        numbers = {
            "token_density": np.where(tokens > 0, n / tokens, 0.0),
            "document_density": fired_in / documents,
            "mean": pa.array(total / n, from_pandas=True),
            "max": pa.array(np.where(n > 0, largest, np.nan), from_pandas=True),
        }
    counts = {
        "n_documents": documents,
        "n_counted": tokens,
        "documents_fired": fired_in,
        "n": n,
    }
    table = pa.table({"value": encoded.dictionary, **counts, **numbers})
    return table.sort_by([("token_density", "descending"), ("value", "ascending")])
