"""Segments: some parts of a shard, feature-major. What compaction merges, and what a store that
is still being filled answers from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from services.store import arrow_files
from services.store.arrow_files import item, required
from services.store.manifest import Part, Segment, dtype_name
from services.store.parts import UINT32, PartReader, unpacked
from services.store.spec import StoreSpec
from services.store.storage import Source, Storage
from services.store.values import HALF, wider

INT64 = np.dtype(np.int64)


def groups(parts: Sequence[Part], segment_nnz: int) -> Iterator[range]:
    """Numbers of the parts that belong in one segment, the last group perhaps not full yet."""
    first, nnz = 0, 0
    for number, part in enumerate(parts):
        nnz += part.nnz
        if nnz >= segment_nnz:
            yield range(first, number + 1)
            first, nnz = number + 1, 0
    if first < len(parts):
        yield range(first, len(parts))


def is_full(parts: Sequence[Part], group: range, segment_nnz: int) -> bool:
    """Whether no further part would join the group."""
    return sum(parts[number].nnz for number in group) >= segment_nnz


def write_segment(
    storage: Storage, spec: StoreSpec, shard: str, parts: Sequence[Part], group: range
) -> Segment:
    """Transpose the parts of the group and write them as one file."""
    chosen = [parts[number] for number in group]
    readers = [PartReader(storage.source(part.file.path), part, spec) for part in chosen]
    dtype = wider({np.dtype(part.dtype) for part in chosen})
    indptr, positions, values = _transposed(readers, spec, dtype)
    documents = _document_counts(readers, indptr, positions)
    batch = _record_batch(indptr, positions, values, documents, dtype)
    path = f"segments/{shard}-{group.start:06d}-{group.stop:06d}.arrow"
    with storage.writing(path) as file:
        arrow_files.write(file.local, batch.schema, [batch])
        (found,) = arrow_files.buffer_offsets(file.local)
    names = ("n_documents", "in_first", "in_last", "position", "value")
    return Segment(
        file=file.committed,
        first_part=group.start,
        n_parts=len(group),
        n_tokens=sum(part.n_tokens for part in chosen),
        n_documents=sum(part.n_documents for part in chosen),
        nnz=len(positions),
        dtype=dtype_name(dtype),
        buffers={**{n: found[n] for n in names}, "indptr": found["position.indptr"]},
    )


def _transposed(
    readers: Sequence[PartReader], spec: StoreSpec, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """indptr [d_sae + 1], positions from the first part's first token, values: by feature."""
    lengths, features, values = [], [], []
    for reader in readers:
        lengths.append(np.diff(reader.indptr(0, reader.part.n_tokens)))
        features.append(reader.features(0, reader.part.nnz))
        values.append(reader.values(0, reader.part.nnz).astype(dtype, copy=False))
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(lengths), dtype=np.int64)])
    index = np.int32 if indptr[-1] < 2**31 else np.int64
    data = np.concatenate(values)
    del values, lengths
    data = data.view(np.uint16) if dtype == HALF else data  # sparse knows no float16
    shape = (len(indptr) - 1, spec.d_sae)
    columns = np.concatenate(features).astype(index)
    rows: Any = sparse.csr_matrix((data, columns, indptr.astype(index)), shape=shape, copy=False)
    turned = rows.tocsc()
    positions = turned.indices.view(f"u{turned.indices.itemsize}").astype(np.uint32, copy=False)
    return turned.indptr.astype(np.int64), positions, turned.data.view(dtype)


def _document_counts(
    readers: Sequence[PartReader], indptr: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per feature: documents it fires in; whether it fires in the document that began before the
    segment, and in the last one. Together they tell how to add up segments.
    """
    starts = np.concatenate([r.flags("starts", 0, r.part.n_tokens) for r in readers])
    document_of = np.cumsum(starts, dtype=np.uint32)  # 0: began before
    documents = document_of[positions]
    new = np.ones(len(positions), bool)
    np.not_equal(documents[1:], documents[:-1], out=new[1:])
    fires = np.diff(indptr) > 0
    new[indptr[:-1][fires]] = True
    n_documents = np.zeros(len(fires), np.uint32)
    n_documents[fires] = np.add.reduceat(new, indptr[:-1][fires], dtype=np.uint32)
    in_first, in_last = fires.copy(), fires.copy()
    in_first[fires] = documents[indptr[:-1][fires]] == 0
    in_last[fires] = documents[indptr[1:][fires] - 1] == document_of[-1]
    return n_documents, in_first, in_last


def _record_batch(
    indptr: np.ndarray,
    positions: np.ndarray,
    values: np.ndarray,
    documents: tuple[np.ndarray, np.ndarray, np.ndarray],
    dtype: np.dtype,
) -> pa.RecordBatch:
    position = pa.large_list(item(pa.uint32()))
    value = pa.large_list(item(pa.from_numpy_dtype(dtype)))
    n_documents, in_first, in_last = documents
    columns = {
        required("n_documents", pa.uint32()): pa.array(n_documents),
        required("in_first", pa.bool_()): pa.array(in_first),
        required("in_last", pa.bool_()): pa.array(in_last),
        required("position", position): arrow_files.lists(indptr, positions, position),
        required("value", value): arrow_files.lists(indptr, values, value),
    }
    return pa.record_batch(list(columns.values()), schema=pa.schema(list(columns)))


class SegmentReader:
    """One segment, by feature; its positions begin at `base` of the store."""

    def __init__(self, source: Source, segment: Segment, d_sae: int, base: int) -> None:
        self.segment, self.base, self._source, self._d_sae = segment, base, source, d_sae
        self._dtype = np.dtype(segment.dtype)
        self.indptr = source.array(INT64, segment.buffers["indptr"], d_sae + 1)

    def slice(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions in the store, and values, of the features `first` to `stop` - 1."""
        low, high = int(self.indptr[first]), int(self.indptr[stop])
        buffers = self.segment.buffers
        positions = self._source.array(UINT32, buffers["position"] + 4 * low, high - low)
        offset = buffers["value"] + self._dtype.itemsize * low
        values = self._source.array(self._dtype, offset, high - low)
        return positions + np.uint32(self.base), values

    def document_counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """n_documents, in_first and in_last, [d_sae] each."""
        buffers, d = self.segment.buffers, self._d_sae
        return (
            self._source.array(UINT32, buffers["n_documents"], d),
            unpacked(self._source, buffers["in_first"], 0, d),
            unpacked(self._source, buffers["in_last"], 0, d),
        )


def documents_fired_in(shards: Sequence[Sequence[SegmentReader]], d_sae: int) -> np.ndarray:
    """Per feature the documents it fires in, [d_sae] int64, given each shard's segments in order.

    A document that goes on in the next segment counts once.
    """
    total = np.zeros(d_sae, np.int64)
    for segments in shards:
        open_fired = np.zeros(d_sae, bool)  # in the document that is not over yet
        for reader in segments:
            count, in_first, in_last = reader.document_counts()
            total += count
            total -= open_fired & in_first
            one_document = reader.segment.n_documents == 0
            open_fired = open_fired | in_last if one_document else in_last
    return total
