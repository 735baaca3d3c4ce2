"""Compaction: the segments of all shards merged into feature-major files, with statistics.

Each finished file is committed, so that what is done stays done; all of it is a function of the
tokens and the layout, so that it does not matter how often it was interrupted, nor by how many
workers the shards were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pyarrow import ipc

from services.errors import Conflict, TooLarge
from services.store import documents, features, log
from services.store.manifest import (
    Generation,
    Manifest,
    Part,
    Segment,
    Shard,
    dtype_name,
)
from services.store.merging import Merger, range_bounds
from services.store.parquet_files import write_parquet
from services.store.segments import SegmentReader, documents_fired_in, groups, write_segment
from services.store.spec import MAX_TOKENS, StoreSpec
from services.store.storage import Storage, open_storage
from services.store.values import wider

OWNER = "compaction"


def compact(url: str) -> Manifest:
    """Make the feature-major files of all finished shards, or go on making them.

    Raises:
        Conflict: a shard is not finished yet.
        TooLarge: more than 2^32 tokens.
    """
    storage = open_storage(url, OWNER)
    storage.clear_temporary()
    spec, manifest = log.read_spec(storage), log.newest(storage)
    if unfinished := [shard.name for shard in manifest.shards if not shard.finished]:
        raise Conflict(f"shard {unfinished[0]} is not finished", shards=unfinished)
    if sum(shard.n_tokens for shard in manifest.shards) > MAX_TOKENS:
        raise TooLarge(f"a store holds at most {MAX_TOKENS:,} tokens")
    if not manifest.complete:
        for shard in manifest.shards:
            complete_segments(storage, spec, shard.name)
        manifest = _merge(storage, spec)
    return manifest if manifest.clean else _clean(storage, manifest)


def complete_segments(storage: Storage, spec: StoreSpec, name: str) -> None:
    """Write what is missing of a finished shard's segments, and commit each."""
    parts = log.newest(storage).shard(name).parts
    for group in groups(parts, spec.layout.segment_nnz):
        have = {s.first_part: s for s in log.newest(storage).shard(name).segments}
        if group.start not in have or have[group.start].stop_part != group.stop:
            commit_segment(storage, name, write_segment(storage, spec, name, parts, group))


def commit_segment(storage: Storage, name: str, segment: Segment) -> Manifest:
    """Add the segment to its shard, in the place of any that it covers."""

    def change(manifest: Manifest) -> Manifest:
        shard = manifest.shard(name)
        kept = [
            s
            for s in shard.segments
            if s.stop_part <= segment.first_part or s.first_part >= segment.stop_part
        ]
        ordered = tuple(sorted([*kept, segment], key=lambda s: s.first_part))
        return manifest.with_shard(replace(shard, segments=ordered))

    return log.commit(storage, change)


def _merge(storage: Storage, spec: StoreSpec) -> Manifest:
    manifest = log.newest(storage)
    readers = _readers(storage, spec, manifest)
    merged = [reader for shard in readers for reader in shard]
    generation = manifest.building or _new_generation(manifest)
    dtype = np.dtype(generation.dtype)
    counts = sum((np.diff(r.indptr) for r in merged), np.zeros(spec.d_sae, np.int64))
    fired_in = documents_fired_in(readers, spec.d_sae)
    totals = features.Totals(generation.n_counted, generation.n_documents)
    merger = Merger(storage, spec.layout, merged, counts, fired_in, totals, dtype)
    bounds = enumerate(range_bounds(counts, spec.layout.range_nnz))
    left = [(n, first, stop) for n, (first, stop) in bounds if n >= len(generation.ranges)]
    for span in merger.write_ranges(generation.folder, left):
        generation = replace(generation, ranges=(*generation.ranges, span))
        manifest = _commit_building(storage, generation)
    return _finish(storage, spec, manifest, generation)


def _readers(storage: Storage, spec: StoreSpec, manifest: Manifest) -> list[list[SegmentReader]]:
    base, found = 0, []
    for shard in manifest.shards:
        readers = []
        for segment in shard.segments:
            source = storage.source(segment.file.path)
            readers.append(SegmentReader(source, segment, spec.d_sae, base))
            base += segment.n_tokens
        found.append(readers)
    return found


def _new_generation(manifest: Manifest) -> Generation:
    parts = all_parts(manifest.shards)
    before = manifest.generation.number if manifest.generation else 0
    return Generation(
        number=max(before + 1, manifest.begin),
        shards=tuple(shard.name for shard in manifest.shards),
        n_tokens=sum(part.n_tokens for part in parts),
        n_counted=sum(part.n_counted for part in parts),
        n_documents=sum(part.n_documents for part in parts),
        nnz=sum(part.nnz for part in parts),
        dtype=dtype_name(wider({np.dtype(part.dtype) for part in parts})),
    )


def all_parts(shards: Sequence[Shard]) -> list[Part]:
    """The parts of all `shards`, in order."""
    return [part for shard in shards for part in shard.parts]


def _commit_building(storage: Storage, generation: Generation) -> Manifest:
    def change(manifest: Manifest) -> Manifest:
        if (manifest.building.ranges if manifest.building else ()) != generation.ranges[:-1]:
            raise Conflict("another process is compacting this store")
        return replace(manifest, building=generation)

    return log.commit(storage, change)


def _finish(
    storage: Storage, spec: StoreSpec, manifest: Manifest, generation: Generation
) -> Manifest:
    """Write `features.parquet` and `documents.parquet` and make the generation the store."""
    pieces = (
        ipc.open_file(storage.arrow(span.statistics.path)).read_all() for span in generation.ranges
    )
    table = write_parquet(
        storage,
        f"{generation.folder}/features.parquet",
        features.SCHEMA,
        pieces,
        features.ROWS_PER_GROUP,
        use_dictionary=False,
    )
    parts = all_parts(manifest.shards)
    listed = documents.write(storage, spec, parts, f"{generation.folder}/documents.parquet")
    done = replace(generation, features=table, documents=listed)

    def change(newest: Manifest) -> Manifest:
        shards = tuple(replace(shard, segments=()) for shard in newest.shards)
        return replace(newest, shards=shards, generation=done, building=None, clean=False)

    return log.commit(storage, change)


def _clean(storage: Storage, manifest: Manifest) -> Manifest:
    """Remove what only earlier versions refer to. The version that says so repeats the one before:
    should the newest be damaged, there is still a whole one.
    """
    used = {file.path for file in manifest.files()}
    number = manifest.generation.number if manifest.generation else 0
    folders = ["segments", *(f"features/g{n:04d}" for n in range(max(number - 1, 1), number + 1))]
    for folder in folders:
        for name in storage.names(folder):
            if f"{folder}/{name}" not in used:
                storage.remove(f"{folder}/{name}")
    return log.commit(storage, lambda newest: replace(newest, clean=newest.complete))
