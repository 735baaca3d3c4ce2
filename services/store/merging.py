"""Merging segments, block of features by block, into one feature-major file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from services.store import arrow_files
from services.store.arrow_files import item, required
from services.store.features import SCHEMA, Totals, placed, statistics_of
from services.store.manifest import Range
from services.store.scratch import Scratch
from services.store.segments import SegmentReader
from services.store.spec import Layout
from services.store.statistics.blocks import Block
from services.store.storage import Storage


def range_bounds(counts: np.ndarray, limit: int) -> Iterator[tuple[int, int]]:
    """Cut features into consecutive runs (first, stop) of at most `limit` activations, or one
    feature where that alone has more.
    """
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        before = ends[first - 1] if first else 0
        stop = int(np.searchsorted(ends, before + limit, side="right"))
        stop = max(stop, first + 1)
        yield first, stop
        first = stop


def schema(dtype: np.dtype) -> pa.Schema:
    """The columns of a feature-major file."""
    return pa.schema(
        [
            required("feature", pa.uint32()),
            required("n", pa.uint64()),
            required("position", pa.large_list(item(pa.uint32()))),
            required("value", pa.large_list(item(pa.from_numpy_dtype(dtype)))),
        ]
    )


@dataclass(frozen=True)
class Merger:
    """Writes feature-major files from segments in the order of their positions."""

    storage: Storage
    layout: Layout
    segments: Sequence[SegmentReader]
    counts: np.ndarray  # [d_sae] activations
    fired_in: np.ndarray  # [d_sae] documents
    totals: Totals
    dtype: np.dtype

    def write_ranges(self, folder: str, spans: Iterable[tuple[int, int, int]]) -> Iterator[Range]:
        """Write the features `first` to `stop` - 1 of each (number, first, stop), and their
        statistics beside them.
        """
        for span in spans:
            yield self._write_range(folder, *span)

    def _write_range(self, folder: str, number: int, first: int, stop: int) -> Range:
        statistics: list[pa.RecordBatch] = []
        path = f"{folder}/{first:08d}-{stop:08d}.arrow"
        with self.storage.writing(path) as file:
            batches = self._batches(first, stop, statistics.append)
            arrow_files.write(file.local, schema(self.dtype), batches)
            offsets = arrow_files.buffer_offsets(file.local)
        table = self._placed(pa.Table.from_batches(statistics, SCHEMA), number, offsets)
        with self.storage.writing(f"{folder}/{first:08d}-{stop:08d}.statistics.arrow") as beside:
            arrow_files.write(beside.local, SCHEMA, table.to_batches())
        nnz = int(self.counts[first:stop].sum())
        return Range(file.committed, beside.committed, first, stop, nnz)

    def _batches(
        self, first: int, stop: int, keep: Callable[[pa.RecordBatch], None]
    ) -> Iterator[pa.RecordBatch]:
        """The file's record batches; their statistics go to `keep`."""
        for low, high in range_bounds(self.counts[first:stop], self.layout.block_nnz):
            block = self._merged(first + low, first + high)
            yield _record_batch(block, self.dtype)
            keep(self._statistics(block))

    def _statistics(self, block: Block) -> pa.RecordBatch:
        fired_in = self.fired_in[block.first : block.first + block.n_features]
        return statistics_of(block, fired_in, self.totals, self.layout, Scratch())

    def _merged(self, first: int, stop: int) -> Block:
        indptr = np.concatenate([[0], np.cumsum(self.counts[first:stop])])
        scratch = Scratch()
        positions = scratch.empty(int(indptr[-1]), np.dtype(np.uint32))
        values = scratch.empty(int(indptr[-1]), self.dtype)
        free = indptr[:-1].copy()  # where the next activation of each feature goes
        for segment in self.segments:
            found, amounts = segment.slice(first, stop)
            lengths = np.diff(segment.indptr[first : stop + 1])
            at = _places(free, lengths)
            positions[at], values[at] = found, amounts
            free += lengths
        return Block(first, indptr, positions, values)

    def _placed(
        self, table: pa.Table, number: int, offsets: Iterable[Mapping[str, int]]
    ) -> pa.Table:
        counts = table.column("n").to_numpy().astype(np.int64)
        positions, values = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.int64)
        bounds = range_bounds(counts, self.layout.block_nnz)
        for (low, high), batch in zip(bounds, offsets, strict=True):
            before = np.concatenate([[0], np.cumsum(counts[low : high - 1])])
            positions[low:high] = batch["position"] + 4 * before
            values[low:high] = batch["value"] + self.dtype.itemsize * before
        return placed(table, number, positions, values)


def _places(free: np.ndarray, lengths: np.ndarray) -> np.ndarray | slice:
    """Where the activations of one segment go, feature by feature."""
    if len(free) == 1:
        return slice(int(free[0]), int(free[0] + lengths[0]))
    shift = free - (np.cumsum(lengths) - lengths)
    return np.repeat(shift, lengths) + np.arange(int(lengths.sum()))


def _record_batch(block: Block, dtype: np.dtype) -> pa.RecordBatch:
    numbers = np.arange(block.first, block.first + block.n_features, dtype=np.uint32)
    file_schema = schema(dtype)
    columns = [
        pa.array(numbers),
        pa.array(block.counts.astype(np.uint64)),
        arrow_files.lists(block.indptr, block.positions, file_schema.field("position").type),
        arrow_files.lists(block.indptr, block.values, file_schema.field("value").type),
    ]
    return pa.record_batch(columns, schema=file_schema)
