"""The feature side of a store: where a feature fires, complete or while the store fills."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow.parquet as pq

from services.store.manifest import Generation, Manifest, Shard
from services.store.parts import UINT32
from services.store.segments import SegmentReader
from services.store.spec import StoreSpec
from services.store.storage import Source, Storage
from services.store.tokens import TokenSide
from services.store.values import HALF, wider

Pair = tuple[np.ndarray, np.ndarray]  # positions [n] uint32 ascending, values [n]


class GenerationReader:
    """The feature-major files: a feature is one range of bytes for positions, one for values."""

    def __init__(self, storage: Storage, generation: Generation) -> None:
        self.generation, self._storage = generation, storage
        self._dtype = np.dtype(generation.dtype)
        columns = ["n", "file", "position_offset", "value_offset"]
        table = pq.read_table(self.table_file(), columns=columns)
        self.counts = table.column("n").to_numpy().astype(np.int64)
        self._file, self._positions, self._values = (
            table.column(name).to_numpy() for name in columns[1:]
        )
        self._sources: dict[int, Source] = {}

    def table_file(self) -> object:
        """`features.parquet`, to be read by pyarrow."""
        if self.generation.features is None:
            raise RuntimeError("a generation that is being built cannot be read")
        return self._storage.arrow(self.generation.features.path)

    def feature(self, feature: int) -> Pair:
        """Where the feature fires, without a copy on a local store."""
        source, n = self._source(int(self._file[feature])), int(self.counts[feature])
        positions = source.array(UINT32, int(self._positions[feature]), n)
        return positions, source.array(self._dtype, int(self._values[feature]), n)

    def _source(self, number: int) -> Source:
        if number not in self._sources:
            path = self.generation.ranges[number].file.path
            self._sources[number] = self._storage.source(path)
        return self._sources[number]


class FeatureSide:
    """The generation, then the segments of later shards, then the parts not yet transposed."""

    def __init__(
        self, storage: Storage, spec: StoreSpec, manifest: Manifest, tokens: TokenSide
    ) -> None:
        self._spec, self._tokens = spec, tokens
        generation = manifest.generation
        self.generation = GenerationReader(storage, generation) if generation else None
        self._segments: list[SegmentReader] = []
        self._tail: list[int] = []  # numbers of parts
        base = number = 0
        merged = generation.shards if generation else ()
        for shard in _readable(manifest):
            if shard.name not in merged:
                covered = self._open_segments(storage, shard, base)
                self._tail += range(number + covered, number + len(shard.parts))
            base, number = base + shard.n_tokens, number + len(shard.parts)

    def feature(self, feature: int) -> Pair:
        """Positions and values of all activations of the feature."""
        pieces = [] if self.generation is None else [self.generation.feature(feature)]
        pieces += [segment.slice(feature, feature + 1) for segment in self._segments]
        pieces += [self._scanned(number, feature) for number in self._tail]
        if len(pieces) == 1:
            return pieces[0]
        dtype = wider({values.dtype for _, values in pieces if len(values)})
        return (
            np.concatenate([np.empty(0, np.uint32), *(positions for positions, _ in pieces)]),
            np.concatenate([np.empty(0, dtype), *(values for _, values in pieces)]),
        )

    def counts(self) -> np.ndarray:
        """Activations per feature [d_sae] int64."""
        total = np.zeros(self._spec.d_sae, np.int64)
        if self.generation is not None:
            total += self.generation.counts
        for segment in self._segments:
            total += np.diff(segment.indptr)
        for number in self._tail:
            reader = self._tokens.reader(number)
            total += np.bincount(reader.features(0, reader.part.nnz), minlength=self._spec.d_sae)
        return total

    def _open_segments(self, storage: Storage, shard: Shard, base: int) -> int:
        """Open the segments that follow each other from the first part; how many parts that is."""
        covered = 0
        for segment in shard.segments:
            if segment.first_part != covered:
                break
            source = storage.source(segment.file.path)
            self._segments.append(SegmentReader(source, segment, self._spec.d_sae, base))
            base, covered = base + segment.n_tokens, segment.stop_part
        return covered

    def _scanned(self, number: int, feature: int) -> Pair:
        reader = self._tokens.reader(number)
        at = np.flatnonzero(reader.features(0, reader.part.nnz) == feature)
        rows = np.searchsorted(reader.indptr(0, reader.part.n_tokens), at, side="right") - 1
        positions = (rows + self._tokens.bases[number]).astype(np.uint32)
        values = reader.values(0, reader.part.nnz)[at]
        return positions, values if len(values) else values.astype(HALF)


def _readable(manifest: Manifest) -> Sequence[Shard]:
    """The shards whose positions are final."""
    found = []
    for shard in manifest.shards:
        found.append(shard)
        if not shard.finished:
            break
    return found
