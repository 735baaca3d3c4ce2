"""What the writer takes: some tokens of one or several documents, with their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from services.errors import InvalidArgument
from services.store.spec import StoreSpec
from services.store.values import narrowed


@dataclass(frozen=True, slots=True)
class Batch:
    """n consecutive tokens of a shard. Features are a CSR matrix: those of token t are
    `features[indptr[t]:indptr[t + 1]]`, in any order, each at most once; zeros are dropped.

    `starts` is True where a document begins; `documents` describes these, in order: a mapping
    with `name` and the store's metadata columns each. A batch may begin inside a document.
    `counted` is False for tokens that no statistic counts (BOS, special, template, padding);
    they have no features. `position` is that of the first token in the shard: tokens that are
    stored already are skipped, so that after a resume a batch can be given as it was.
    """

    token_ids: np.ndarray  # [n] uint32
    indptr: np.ndarray  # [n + 1]
    features: np.ndarray  # [nnz]
    values: np.ndarray  # [nnz] floats
    starts: np.ndarray  # [n] bool
    documents: Sequence[Mapping[str, Any]] = ()
    counted: np.ndarray | None = None  # [n] bool, all True when None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Tokens as they are stored: rows ascend by feature, values are narrowed."""

    token_ids: np.ndarray  # [n] uint32
    starts: np.ndarray  # [n] bool
    counted: np.ndarray  # [n] bool
    lengths: np.ndarray  # [n] int32: features per token
    features: np.ndarray  # [nnz] uint16 or uint32
    values: np.ndarray  # [nnz] float16 or float32
    documents: pa.Table  # one row per start

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""
        return len(self.token_ids)

    def cut(self, n: int) -> tuple[Rows, Rows]:
        """The first `n` tokens, and the others."""
        nnz, docs = int(self.lengths[:n].sum()), int(self.starts[:n].sum())
        return self._part(slice(n), slice(nnz), slice(docs)), self._part(
            slice(n, None), slice(nnz, None), slice(docs, None)
        )

    def _part(self, tokens: slice, nnz: slice, docs: slice) -> Rows:
        first, stop, _ = docs.indices(self.documents.num_rows)
        return Rows(
            self.token_ids[tokens],
            self.starts[tokens],
            self.counted[tokens],
            self.lengths[tokens],
            self.features[nnz],
            self.values[nnz],
            self.documents.slice(first, stop - first),
        )


def checked(batch: Batch, spec: StoreSpec) -> Rows:
    """`batch` as it will be stored.

    Raises:
        InvalidArgument: shapes disagree, a feature is out of range or twice at a token, a value
            is not finite, a document lacks what the store records of it.
    """
    n, nnz = len(batch.token_ids), len(batch.features)
    counted = np.ones(n, bool) if batch.counted is None else np.asarray(batch.counted, bool)
    _require(len(batch.indptr) == n + 1, "indptr must have one more entry than token_ids")
    lengths = np.diff(batch.indptr)
    fits = n == 0 or (batch.indptr[0] == 0 and batch.indptr[-1] == nnz and (lengths >= 0).all())
    _require(bool(fits), "indptr must ascend from 0 to the number of features")
    _require(len(batch.values) == nnz, "features and values differ in length")
    _require(len(batch.starts) == len(counted) == n, "starts and counted must be per token")
    if nnz:
        low, high = int(batch.features.min()), int(batch.features.max())
        _require(low >= 0 and high < spec.d_sae, f"features must be 0 to {spec.d_sae - 1}")
        _require(not lengths[~counted].any(), "a token that is not counted has no features")
    if n:
        ids = np.asarray(batch.token_ids)
        _require(int(ids.min()) >= 0 and int(ids.max()) < 2**32, "token ids must be uint32")
    lengths, features, values = _canonical(batch, lengths.astype(np.int32), spec.feature_dtype)
    starts = np.asarray(batch.starts, bool)
    _require(len(batch.documents) == int(starts.sum()), "documents must be one per start")
    documents = _documents(batch.documents, spec)
    stored = narrowed(values, spec.precision)
    token_ids = np.asarray(batch.token_ids, np.uint32)
    return Rows(token_ids, starts, counted, lengths, features, stored, documents)


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise InvalidArgument(f"batch: {problem}")


def _canonical(
    batch: Batch, lengths: np.ndarray, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lengths, features and values without zeros, ascending by feature within a token."""
    features, values = batch.features.astype(dtype, copy=False), np.asarray(batch.values)
    if not values.all():
        kept = values != 0
        ends = np.concatenate([[0], np.cumsum(kept)])[batch.indptr]
        lengths, features, values = np.diff(ends).astype(np.int32), features[kept], values[kept]
    if not _ascending(lengths, features):
        features, values = _sorted(lengths, features, values)
        _require(_ascending(lengths, features), "a feature occurs twice at one token")
    return lengths, features, values


def _ascending(lengths: np.ndarray, features: np.ndarray) -> bool:
    falls = features[1:] <= features[:-1]
    last = np.cumsum(lengths[lengths > 0])[:-1] - 1  # of each token but the last
    falls[last] = False
    return not falls.any()


def _sorted(
    lengths: np.ndarray, features: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    order = np.arange(len(features))
    matrix = sparse.csr_matrix(
        (order, features.astype(np.int64), indptr), shape=(len(lengths), 1 << 32)
    )
    matrix.has_sorted_indices = False
    matrix.sort_indices()
    return features[matrix.data], values[matrix.data]


def _documents(documents: Sequence[Mapping[str, Any]], spec: StoreSpec) -> pa.Table:
    schema = pa.schema(spec.document_fields)
    for document in documents:
        if unknown := set(document) - set(schema.names):
            raise InvalidArgument(f"documents have no column {sorted(unknown)[0]!r}")
    try:
        return pa.Table.from_pylist([dict(d) for d in documents], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InvalidArgument(f"a document's metadata has the wrong type: {error}") from None
