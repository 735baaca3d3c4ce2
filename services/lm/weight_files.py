"""Safetensors files seen from outside: what a header declares, and the hash that names the weights.

Nothing here loads tensors or imports torch, so a folder can be judged at listing time.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import Any

from services.errors import Unsupported

_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_MAX_JSON_BYTES = 64 * 2**20  # the longest index of a model's weights takes some ten
_HASH_AT_LISTING_BYTES = 32 * 2**20  # ~20 ms; larger files are hashed when they are loaded
_O_BINARY = getattr(os, "O_BINARY", 0)
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What a header says about one tensor."""

    dtype: str  # F32, BF16, ...
    shape: tuple[int, ...]

    @property
    def numel(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


def read_header(path: Path) -> dict[str, TensorSpec]:
    """The tensors that a safetensors file declares.

    Raises `Unsupported` that names the file and what is wrong: missing, LFS pointer, web page,
    truncated, not safetensors.
    """
    try:
        with opened(path) as file:
            start = file.read(64)
            declared = _declared_length(path, start)
            file.seek(8)
            header = file.read(declared)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise broken(path, f"cannot be read ({error.strerror})", "check that it exists") from None
    if len(header) < declared:
        raise broken(path, "is truncated inside its header", "copy or download it again")
    return _tensors(path, header, size - 8 - declared)


def broken(path: Path, problem: str, remedy: str) -> Unsupported:
    """The error for a file that cannot be used: which, what is wrong, what to do."""
    name = f"{path.parent.name}/{path.name}"
    return Unsupported(f"{name} {problem}: {remedy}", file=name, problem=problem)


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """The file to read; `Unsupported` for what is none, such as a pipe, which is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _O_BINARY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise broken(path, "is no regular file", "put the file itself there")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; `Unsupported` when it is missing, malformed or no object."""
    try:
        with opened(path) as file:
            text = file.read(_MAX_JSON_BYTES + 1)
        if len(text) > _MAX_JSON_BYTES:
            problem = f"is larger than {_MAX_JSON_BYTES >> 20} MB, as no configuration is"
            raise broken(path, problem, "copy the right file")
        value = json.loads(text.decode("utf-8"))
    except OSError as error:
        raise broken(path, f"cannot be read ({error.strerror})", "copy it again") from None
    except (ValueError, RecursionError) as error:
        raise broken(path, f"is no valid JSON ({str(error)[:80]})", "copy it again") from None
    if not isinstance(value, dict):
        raise broken(path, "holds no JSON object", "copy it again")
    return value


def _declared_length(path: Path, start: bytes) -> int:
    if start.startswith(b"version https://git-lfs"):
        raise broken(path, "is a Git LFS pointer, not the weights", "run `git lfs pull`")
    # A header's length may spell "<" too; then the header follows.
    if start.lstrip()[:1] == b"<" and start[8:9] != b"{":
        raise broken(path, "is a web page, not weights", "download the file itself")
    if len(start) < 10 or start[8:9] != b"{":
        raise broken(path, "is not in safetensors format", "convert the weights to safetensors")
    (declared,) = struct.unpack("<Q", start[:8])
    if declared > _MAX_HEADER_BYTES:
        raise broken(path, "declares an impossible header", "copy or download it again")
    return int(declared)


def _tensors(path: Path, header: bytes, data_bytes: int) -> dict[str, TensorSpec]:
    try:
        pairs = json.loads(header, object_pairs_hook=_no_duplicates)
        specs = {
            name: (TensorSpec(t["dtype"], tuple(t["shape"])), t["data_offsets"])
            for name, t in pairs.items()
            if name != "__metadata__"
        }
        ends = [_end(spec, *offsets) for spec, offsets in specs.values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise broken(
            path, f"has a malformed header ({str(error)[:80]})", "copy or download it again"
        ) from None
    if not specs:
        raise broken(path, "holds no tensors", "copy or download it again")
    if max(ends) != data_bytes:
        problem = "is truncated" if max(ends) > data_bytes else "has bytes after its last tensor"
        raise broken(path, problem, "copy or download it again")
    return {name: spec for name, (spec, _) in specs.items()}


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name appears twice")
    return dict(pairs)


def _end(spec: TensorSpec, begin: int, end: int) -> int:
    if any(type(number) is not int for number in (*spec.shape, begin, end)):
        raise ValueError("a shape or an offset is no whole number")
    if spec.dtype not in _BYTES:
        raise ValueError(f"unknown dtype {spec.dtype}")
    if min((0, *spec.shape)) < 0 or end - begin != spec.numel * _BYTES[spec.dtype]:
        raise ValueError("a tensor's shape and its bytes disagree")
    return end


def revision(paths: Sequence[Path], *, hash_large: bool) -> str:
    """What identifies the weights in `paths`.

    The sha256 of a single file, or of the names and hashes of several; a hub commit when the
    folder is a hub snapshot. Without `hash_large`, files too big to hash in passing are named
    `unhashed-<bytes>-<mtime>`: that identifies a file, not its content.
    """
    folder = paths[0].parent.resolve()
    if folder.parent.name == "snapshots" and _is_commit(folder.name):
        return folder.name
    stats = [path.stat() for path in paths]
    size = sum(s.st_size for s in stats)
    if not hash_large and size > _HASH_AT_LISTING_BYTES:
        return f"unhashed-{size}-{int(max(s.st_mtime for s in stats))}"
    hashes = [
        _sha256(p.resolve(), s.st_size, s.st_mtime_ns) for p, s in zip(paths, stats, strict=True)
    ]
    if len(hashes) == 1:
        return hashes[0]
    lines = (f"{path.name} {digest}\n" for path, digest in zip(paths, hashes, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _is_commit(name: str) -> bool:
    return len(name) == 40 and all(c in "0123456789abcdef" for c in name)


@lru_cache(maxsize=512)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    """Hash of the file as it was at `size` and `mtime_ns`, which are the cache's key."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
