"""The manifest: which files are the store. Each version is a whole, in one numbered JSON file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from services.errors import NotFound
from services.store.errors import DamagedStore

Dtype = Literal["float16", "float32"]


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was written; `path` is relative to the store."""

    path: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """A token-major file, and the documents that begin in it. `buffers` are the byte offsets of
    its columns: token_id, starts and counted (bits), indptr (int32), feature, value.
    """

    file: File
    documents: File
    n_tokens: int
    n_counted: int
    n_documents: int
    nnz: int
    dtype: Dtype
    buffers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive parts of a shard, transposed; positions count from its first token. `buffers`
    are the byte offsets of n_documents (uint32), in_first and in_last (bits), indptr (int64),
    position (uint32) and value.
    """

    file: File
    first_part: int
    n_parts: int
    n_tokens: int
    n_documents: int
    nnz: int
    dtype: Dtype
    buffers: Mapping[str, int]

    @property
    def stop_part(self) -> int:
        """One after the last part."""
        return self.first_part + self.n_parts


@dataclass(frozen=True, slots=True)
class Shard:
    """What one worker wrote, in order."""

    name: str
    finished: bool = False
    parts: tuple[Part, ...] = ()
    segments: tuple[Segment, ...] = ()

    @property
    def n_tokens(self) -> int:
        """Tokens in its sealed parts."""
        return sum(part.n_tokens for part in self.parts)

    @property
    def n_documents(self) -> int:
        """Documents that begin in its sealed parts."""
        return sum(part.n_documents for part in self.parts)


@dataclass(frozen=True, slots=True)
class Range:
    """A feature-major file of features `first` to `stop` - 1; `statistics` are its rows of
    `features.parquet`, there only until the generation is complete.
    """

    file: File
    statistics: File
    first: int
    stop: int
    nnz: int


@dataclass(frozen=True, slots=True)
class Generation:
    """Feature-major files over all tokens of the finished `shards`."""

    number: int
    shards: tuple[str, ...]
    n_tokens: int
    n_counted: int
    n_documents: int
    nnz: int
    dtype: Dtype
    ranges: tuple[Range, ...] = ()
    features: File | None = None
    documents: File | None = None

    @property
    def folder(self) -> str:
        """Where its files are."""
        return f"features/g{self.number:04d}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of the store. `generation` is what readers use, `building` what will
    replace it.
    """

    version: int
    shards: tuple[Shard, ...]
    generation: Generation | None = None
    building: Generation | None = None
    begin: int = 1  # the least number that the next generation may have
    clean: bool = False  # complete, and no file is left that only earlier versions refer to

    @property
    def complete(self) -> bool:
        """Whether all shards are finished and in the generation."""
        names = tuple(shard.name for shard in self.shards)
        return self.generation is not None and self.generation.shards == names

    def shard(self, name: str) -> Shard:
        """The shard of that name; `NotFound` lists those there are."""
        for shard in self.shards:
            if shard.name == name:
                return shard
        names = [shard.name for shard in self.shards]
        raise NotFound(f"the store has no shard {name!r}; it has {', '.join(names)}", shards=names)

    def with_shard(self, changed: Shard) -> Manifest:
        """The same with one shard replaced."""
        shards = tuple(changed if s.name == changed.name else s for s in self.shards)
        return replace(self, shards=shards)

    def readable(self) -> Iterator[tuple[Shard, Part]]:
        """The parts whose positions are final: of the first shards up to one that is not finished,
        and of this one.
        """
        for shard in self.shards:
            yield from ((shard, part) for part in shard.parts)
            if not shard.finished:
                return

    def files(self) -> Iterator[File]:
        """All files that this version refers to."""
        for shard in self.shards:
            for part in shard.parts:
                yield from (part.file, part.documents)
            yield from (segment.file for segment in shard.segments)
        for generation in (self.generation, self.building):
            if generation is not None:
                yield from _generation_files(generation)

    def as_json(self) -> bytes:
        """The file's content, with a checksum of itself."""
        body = _ADAPTER.dump_python(self, mode="json")
        return json.dumps({"sha256": _digest(body), "manifest": body}).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes, path: str) -> Manifest:
        """Read the file; DamagedStore names `path` when it is not what was written."""
        try:
            data = json.loads(text)
            if data["sha256"] == _digest(data["manifest"]):
                return _ADAPTER.validate_python(data["manifest"])
        except (ValueError, KeyError, TypeError, ValidationError):
            pass
        raise DamagedStore(f"the manifest {path} is not what was written", path=path)


def _generation_files(generation: Generation) -> Iterator[File]:
    for span in generation.ranges:
        yield span.file
        if generation.features is None:
            yield span.statistics
    if generation.features is not None:
        yield generation.features
    if generation.documents is not None:
        yield generation.documents


def dtype_name(dtype: np.dtype) -> Dtype:
    """float16 or float32 by name."""
    return "float16" if dtype == np.float16 else "float32"


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


_ADAPTER = TypeAdapter(Manifest)
