"""Is the store what was written? Checksums, contiguity and counts; and making it whole again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.parquet as pq

from services.errors import Conflict
from services.store import log
from services.store.batches import Batch, checked
from services.store.compaction import compact
from services.store.errors import DamagedStore
from services.store.manifest import File, Generation, Manifest, Part
from services.store.parts import PartReader, write_part
from services.store.spec import StoreSpec
from services.store.storage import Storage, open_storage


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and the file that it is about."""

    path: str
    problem: str


def verify(url: str) -> list[Problem]:
    """All that is wrong with the newest version of the store; empty when nothing is.

    Every file is read once. A damaged part must be made again from the corpus (`repair_part`);
    anything else follows from the parts (`rebuild`).
    """
    storage = open_storage(url)
    spec = log.read_spec(storage)
    damaged = list(_damaged_versions(storage))
    manifest = log.newest(storage)
    files = [p for file in manifest.files() if (p := _file_problem(storage, file)) is not None]
    if files:
        return [*damaged, *files]
    return [*damaged, *_count_problems(storage, spec, manifest)]


def require_sound(url: str) -> None:
    """DamagedStore, with the first problem, unless `verify` finds none."""
    if problems := verify(url):
        first = problems[0]
        raise DamagedStore(f"{first.path}: {first.problem}", path=first.path, n=len(problems))


def _damaged_versions(storage: Storage) -> Iterator[Problem]:
    for version in log.versions(storage):
        try:
            log.read(storage, version)
        except DamagedStore as error:
            yield Problem(error.details["path"], "is not the manifest that was written")


def _file_problem(storage: Storage, file: File) -> Problem | None:
    try:
        n_bytes, sha256 = storage.digest(file.path)
    except FileNotFoundError:
        return Problem(file.path, "is missing")
    if n_bytes != file.n_bytes:
        return Problem(file.path, f"has {n_bytes} bytes instead of {file.n_bytes}")
    if sha256 != file.sha256:
        return Problem(file.path, "has another checksum than when it was written")
    return None


def _count_problems(storage: Storage, spec: StoreSpec, manifest: Manifest) -> Iterator[Problem]:
    merged = manifest.generation.shards if manifest.generation else ()
    counts = np.zeros(spec.d_sae, np.int64)
    for shard in manifest.shards:
        for part in shard.parts:
            found = _part_counts(storage, spec, part)
            if shard.name in merged:
                counts += found
            if (problem := _part_problem(storage, part, found)) is not None:
                yield problem
    if manifest.generation is not None:
        yield from _generation_problems(storage, manifest, manifest.generation, counts)


def _part_counts(storage: Storage, spec: StoreSpec, part: Part) -> np.ndarray:
    reader = PartReader(storage.source(part.file.path), part, spec)
    return np.bincount(reader.features(0, part.nnz), minlength=spec.d_sae)


def _part_problem(storage: Storage, part: Part, counts: np.ndarray) -> Problem | None:
    documents = pq.read_metadata(storage.arrow(part.documents.path)).num_rows
    if documents != part.n_documents:
        return Problem(part.documents.path, f"has {documents} documents, not {part.n_documents}")
    if int(counts.sum()) != part.nnz:
        return Problem(part.file.path, f"has {counts.sum()} activations, not {part.nnz}")
    return None


def _generation_problems(
    storage: Storage, manifest: Manifest, generation: Generation, counts: np.ndarray
) -> Iterator[Problem]:
    assert generation.features is not None
    path, expected = generation.features.path, 0
    for span in generation.ranges:
        if span.first != expected:
            yield Problem(span.file.path, f"begins at feature {span.first}, not {expected}")
        expected = span.stop
    if expected != len(counts):
        yield Problem(path, f"the feature-major files end at feature {expected}")
    column = pq.read_table(storage.arrow(path), columns=["n"]).column("n").to_numpy()
    wrong = np.flatnonzero(column != counts)
    if len(wrong):
        yield Problem(path, f"feature {wrong[0]} has another number of activations than the parts")
    tokens = sum(manifest.shard(name).n_tokens for name in generation.shards)
    if tokens != generation.n_tokens:
        yield Problem(path, f"is of {generation.n_tokens} tokens, the parts have {tokens}")


def rebuild(url: str) -> Manifest:
    """Make all feature-major files anew from the parts alone; they come out the same.

    Meanwhile readers are answered from the parts.
    """
    storage = open_storage(url)

    def change(manifest: Manifest) -> Manifest:
        if not all(shard.finished for shard in manifest.shards):
            raise Conflict("the store is not finished: there is nothing to rebuild yet")
        shards = tuple(replace(shard, segments=()) for shard in manifest.shards)
        number = manifest.generation.number if manifest.generation else 1
        changed = replace(manifest, shards=shards, generation=None, building=None)
        return replace(changed, begin=number, clean=False)

    log.commit(storage, change)
    return compact(url)


def repair_part(url: str, shard: str, number: int, batches: Iterable[Batch]) -> None:
    """Write one part anew; `batches` have at least its tokens, with their `position` in the shard.

    Raises:
        Conflict: they are not what was written: the part's checksum differs.
    """
    storage = open_storage(url, f"shard-{shard}")
    spec = log.read_spec(storage)
    parts = log.newest(storage).shard(shard).parts
    start = sum(part.n_tokens for part in parts[:number])
    stop, rows = start + parts[number].n_tokens, []
    for batch in batches:
        at = batch.position or 0
        piece = checked(batch, spec)
        low, high = max(start - at, 0), min(stop - at, piece.n_tokens)
        if low < high:
            rows.append(piece.cut(high)[0].cut(low)[1])
    if write_part(storage, spec, shard, number, rows) != parts[number]:
        raise Conflict(f"part {number} of shard {shard} is not what was written before")
