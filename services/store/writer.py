"""Writing a shard: tokens in, sealed parts and segments out, resumable after any interruption."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from services.errors import Conflict, InvalidArgument
from services.store import log
from services.store.batches import Batch, Rows, checked
from services.store.compaction import commit_segment, compact
from services.store.manifest import Manifest, Part, Shard
from services.store.parts import write_part
from services.store.segments import groups, is_full, write_segment
from services.store.spec import StoreSpec, require_shard_name
from services.store.storage import Storage, open_storage


class StoreWriter:
    """The one writer of a shard. Memory is bounded by the layout's part and segment sizes.

    Two writers of the same shard do not mix: the one that is late gets a Conflict.
    """

    def __init__(self, storage: Storage, spec: StoreSpec, shard: str) -> None:
        self.spec, self.shard, self._storage = spec, shard, storage
        storage.clear_temporary()
        self._sealed = log.newest(storage).shard(shard)
        self._rows: list[Rows] = []

    @classmethod
    def create(cls, url: str, spec: StoreSpec, shard: str | None = None) -> StoreWriter:
        """Begin a store, or a further shard of it; `shard` is the first one unless named.

        Raises:
            Conflict: there is another store at this place, or the shard has been begun.
        """
        writer = cls.open_for_resume(url, spec, shard)
        if writer.n_sealed or writer._sealed.finished:
            raise Conflict(f"shard {writer.shard} has been begun: open it for resume")
        return writer

    @classmethod
    def open_for_resume(cls, url: str, spec: StoreSpec, shard: str | None = None) -> StoreWriter:
        """Begin the store or the shard, or go on where it stopped: at `n_sealed`."""
        name = spec.shards[0] if shard is None else shard
        require_shard_name(name)
        storage = open_storage(url, f"shard-{name}")
        log.create(storage, spec)
        return cls(storage, spec, name)

    @property
    def n_sealed(self) -> int:
        """Tokens of this shard that nothing can take away any more: where to resume."""
        return self._sealed.n_tokens

    @property
    def n_documents_sealed(self) -> int:
        """Documents that begin among them; the last of them may go on beyond."""
        return self._sealed.n_documents

    @property
    def n_tokens(self) -> int:
        """Tokens appended so far, sealed or not."""
        return self.n_sealed + sum(rows.n_tokens for rows in self._rows)

    @property
    def finished(self) -> bool:
        """Whether the shard is complete."""
        return self._sealed.finished

    def append(self, batch: Batch) -> None:
        """Add the batch's tokens; those that the store has already are skipped.

        Raises:
            InvalidArgument: the batch is wrong in itself or leaves a gap.
            Conflict: the shard is finished, or another writer is at it.
            ResourceExhausted: the disk is full; what was sealed stays.
        """
        if self.finished:
            raise Conflict(f"shard {self.shard} is finished")
        rows = self._new(checked(batch, self.spec), batch.position)
        if not rows.n_tokens:
            return
        if self.n_tokens == 0 and not rows.starts[0]:
            raise InvalidArgument("the first token of a shard must begin a document")
        self._rows.append(rows)
        while (n := self._sealable()) is not None:
            self._seal(n)

    def finish_shard(self) -> None:
        """Seal what is left; other shards may still be written."""
        if self.finished:
            return
        if self._rows:
            self._seal(sum(rows.n_tokens for rows in self._rows))
        self._complete_segments()
        sealed = self._sealed

        def change(manifest: Manifest) -> Manifest:
            _require_unchanged(manifest.shard(self.shard), sealed)
            return manifest.with_shard(replace(manifest.shard(self.shard), finished=True))

        self._sealed = log.commit(self._storage, change).shard(self.shard)

    def finish(self) -> Manifest:
        """Finish the shard, and the store when it has no other. A store of several shards is
        compacted by whoever knows that all are finished.
        """
        self.finish_shard()
        manifest = log.newest(self._storage)
        return compact(self._storage.url) if len(manifest.shards) == 1 else manifest

    def _new(self, rows: Rows, position: int | None) -> Rows:
        """What of the rows is not stored yet."""
        if position is None or position == self.n_tokens:
            return rows
        if position > self.n_tokens:
            raise InvalidArgument(
                f"the batch begins at {position}, but the shard has {self.n_tokens} tokens",
                position=position,
            )
        return rows.cut(min(self.n_tokens - position, rows.n_tokens))[1]

    def _sealable(self) -> int | None:
        """Tokens of the next part, when all of them are there: a function of the tokens alone."""
        layout = self.spec.layout
        waiting = sum(rows.n_tokens for rows in self._rows)
        nnz = sum(len(rows.features) for rows in self._rows)
        if waiting < layout.part_tokens and nnz <= layout.part_nnz:
            return None
        n = min(waiting, layout.part_tokens)
        if nnz <= layout.part_nnz:
            return n
        ends = np.cumsum(np.concatenate([rows.lengths for rows in self._rows]), dtype=np.int64)
        fitting = max(int(np.searchsorted(ends, layout.part_nnz, side="right")), 1)
        return min(n, fitting)

    def _seal(self, n: int) -> None:
        _require_unchanged(log.newest(self._storage).shard(self.shard), self._sealed)
        rows, number = self._take(n), len(self._sealed.parts)
        part = write_part(self._storage, self.spec, self.shard, number, rows)
        self._complete_segments()  # what an interruption left: the log is the same each time
        self._commit(part)
        self._complete_segments()

    def _take(self, n: int) -> list[Rows]:
        """The first `n` waiting tokens."""
        taken = []
        while n:
            first = self._rows.pop(0)
            if first.n_tokens > n:
                first, rest = first.cut(n)
                self._rows.insert(0, rest)
            taken.append(first)
            n -= first.n_tokens
        return taken

    def _commit(self, part: Part) -> None:
        sealed = self._sealed

        def change(manifest: Manifest) -> Manifest:
            shard = manifest.shard(self.shard)
            _require_unchanged(shard, sealed)
            return manifest.with_shard(replace(shard, parts=(*shard.parts, part)))

        self._sealed = log.commit(self._storage, change).shard(self.shard)

    def _complete_segments(self) -> None:
        """Transpose what is enough for a segment and has none yet."""
        parts, done = self._sealed.parts, {s.first_part for s in self._sealed.segments}
        limit = self.spec.layout.segment_nnz
        for group in groups(parts, limit):
            if group.start not in done and is_full(parts, group, limit):
                segment = write_segment(self._storage, self.spec, self.shard, parts, group)
                manifest = commit_segment(self._storage, self.shard, segment)
                self._sealed = manifest.shard(self.shard)


def _require_unchanged(shard: Shard, expected: Shard) -> None:
    if len(shard.parts) != len(expected.parts) or shard.finished != expected.finished:
        raise Conflict(f"another writer is at shard {shard.name}", shard=shard.name)


def append_shard(url: str, name: str) -> Manifest:
    """Let a further shard follow those there are; readers keep the complete ones meanwhile.

    Raises:
        Conflict: there is a shard of that name.
    """
    require_shard_name(name)
    storage = open_storage(url)

    def change(manifest: Manifest) -> Manifest:
        if any(shard.name == name for shard in manifest.shards):
            raise Conflict(f"the store has a shard {name!r} already")
        return replace(manifest, shards=(*manifest.shards, Shard(name)), clean=False)

    return log.commit(storage, change)
