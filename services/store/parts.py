"""Token-major parts: one row per token, in the order of the corpus.

A part's bytes depend on its tokens alone, not on where in the corpus they are: positions come
from the manifest. The documents that begin in a part are in a small Parquet file beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.store import arrow_files
from services.store.arrow_files import item, required
from services.store.batches import Rows
from services.store.manifest import Part, dtype_name
from services.store.spec import StoreSpec
from services.store.storage import Source, Storage
from services.store.values import wider

_COLUMNS = ("token_id", "starts", "counted", "feature", "value")
INT32, UINT32, BYTE = np.dtype(np.int32), np.dtype(np.uint32), np.dtype(np.uint8)


def write_part(
    storage: Storage, spec: StoreSpec, shard: str, number: int, rows: Sequence[Rows]
) -> Part:
    """Write `rows`, one after the other, as the shard's part `number`."""
    documents = _document_table(rows)
    with storage.writing(f"shards/{shard}/documents-{number:06d}.parquet") as documents_file:
        pq.write_table(documents, documents_file.local, compression="zstd")
    batch = _record_batch(rows, spec)
    with storage.writing(f"shards/{shard}/part-{number:06d}.arrow") as part_file:
        arrow_files.write(part_file.local, batch.schema, [batch])
        (found,) = arrow_files.buffer_offsets(part_file.local)
    lengths = [row.lengths for row in rows]
    return Part(
        file=part_file.committed,
        documents=documents_file.committed,
        n_tokens=batch.num_rows,
        n_counted=sum(int(row.counted.sum()) for row in rows),
        n_documents=documents.num_rows,
        nnz=sum(int(length.sum()) for length in lengths),
        dtype=dtype_name(_dtype(rows)),
        buffers={**{name: found[name] for name in _COLUMNS}, "indptr": found["feature.indptr"]},
    )


def _dtype(rows: Sequence[Rows]) -> np.dtype:
    return wider({row.values.dtype for row in rows if len(row.values)})


def _document_table(rows: Sequence[Rows]) -> pa.Table:
    """`start`, the row of the document's first token within the part; its name and metadata."""
    starts = np.flatnonzero(np.concatenate([row.starts for row in rows]))
    table = pa.concat_tables([row.documents for row in rows]).combine_chunks()
    return table.add_column(0, "start", pa.array(starts, pa.uint32()))


def _record_batch(rows: Sequence[Rows], spec: StoreSpec) -> pa.RecordBatch:
    dtype = _dtype(rows)
    offsets = np.zeros(sum(row.n_tokens for row in rows) + 1, np.int32)
    np.cumsum(np.concatenate([row.lengths for row in rows]), out=offsets[1:])
    feature = pa.list_(item(pa.from_numpy_dtype(spec.feature_dtype)))
    value = pa.list_(item(pa.from_numpy_dtype(dtype)))
    features = np.concatenate([row.features for row in rows])
    values = np.concatenate([row.values.astype(dtype, copy=False) for row in rows])
    columns = {
        required("token_id", pa.uint32()): pa.array(np.concatenate([r.token_ids for r in rows])),
        required("starts", pa.bool_()): pa.array(np.concatenate([r.starts for r in rows])),
        required("counted", pa.bool_()): pa.array(np.concatenate([r.counted for r in rows])),
        required("feature", feature): arrow_files.lists(offsets, features, feature),
        required("value", value): arrow_files.lists(offsets, values, value),
    }
    return pa.record_batch(list(columns.values()), schema=pa.schema(list(columns)))


@dataclass(frozen=True, slots=True)
class TokenRows:
    """Features of consecutive tokens as a CSR matrix; arrays are views of the file."""

    start: int  # position of the first token
    token_ids: np.ndarray  # [n] uint32
    counted: np.ndarray  # [n] bool
    starts: np.ndarray  # [n] bool: a document begins
    indptr: np.ndarray  # [n + 1], from 0
    features: np.ndarray  # [nnz], ascending within a token
    values: np.ndarray  # [nnz]


class PartReader:
    """One part, by row."""

    def __init__(self, source: Source, part: Part, spec: StoreSpec) -> None:
        self.part, self._source, self._spec = part, source, spec
        self._value_dtype = np.dtype(part.dtype)

    def token_ids(self, first: int, stop: int) -> np.ndarray:
        """[stop - first] uint32."""
        offset = self.part.buffers["token_id"] + 4 * first
        return self._source.array(UINT32, offset, stop - first)

    def flags(self, name: str, first: int, stop: int) -> np.ndarray:
        """`starts` or `counted`, [stop - first] bool."""
        return unpacked(self._source, self.part.buffers[name], first, stop)

    def indptr(self, first: int, stop: int) -> np.ndarray:
        """Where the features of each token begin, [stop - first + 1] int32."""
        offset = self.part.buffers["indptr"] + 4 * first
        return self._source.array(INT32, offset, stop - first + 1)

    def features(self, first: int, stop: int) -> np.ndarray:
        """Entries `first` to `stop` - 1 of the feature column."""
        dtype = self._spec.feature_dtype
        offset = self.part.buffers["feature"] + dtype.itemsize * first
        return self._source.array(dtype, offset, stop - first)

    def values(self, first: int, stop: int) -> np.ndarray:
        """The values of these features."""
        dtype = self._value_dtype
        offset = self.part.buffers["value"] + dtype.itemsize * first
        return self._source.array(dtype, offset, stop - first)

    def rows(self, first: int, stop: int, base: int) -> TokenRows:
        """Rows `first` to `stop` - 1 of the part, which begins at position `base`."""
        indptr = self.indptr(first, stop)
        low, high = int(indptr[0]), int(indptr[-1])
        return TokenRows(
            base + first,
            self.token_ids(first, stop),
            self.flags("counted", first, stop),
            self.flags("starts", first, stop),
            indptr - indptr[0],
            self.features(low, high),
            self.values(low, high),
        )


def unpacked(source: Source, offset: int, first: int, stop: int) -> np.ndarray:
    """Bits `first` to `stop` - 1 of a bitmap at byte `offset`, as bool."""
    low = first // 8
    packed = source.array(BYTE, offset + low, (stop + 7) // 8 - low)
    bits = np.unpackbits(packed, bitorder="little")
    return bits[first - 8 * low : stop - 8 * low].astype(bool)
