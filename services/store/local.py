"""A store in a local folder: atomic renames, and reads mapped into memory."""

from __future__ import annotations

import mmap
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from services.store.manifest import File
from services.store.storage import Pending, digest_of, disk_errors

_PAGE = 4096
# The kernel cuts one WILLNEED short at its read-ahead size: ask in pieces below that.
_ADVICE_BYTES = 2**19


class LocalStorage:
    """Files below `root`; unfinished ones are in `tmp/<owner>`, on the same file system."""

    def __init__(self, root: Path, owner: str) -> None:
        self.url, self._root, self._temporary = str(root), root, root / "tmp" / owner

    @contextmanager
    def writing(self, path: str) -> Iterator[Pending]:
        """Write a temporary file, make it durable, rename it, make the name durable."""
        target, pending = self._root / path, Pending(self._new_temporary())
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with disk_errors(path):
                yield pending
                n_bytes, sha256 = _synced(pending.local)
            pending.local.rename(target)
        finally:
            pending.local.unlink(missing_ok=True)
        _sync(target.parent)
        pending.file = File(path, n_bytes, sha256)

    def put_if_absent(self, path: str, content: bytes) -> bool:
        """A hard link fails when the name exists, and appears with its content."""
        target, temporary = self._root / path, self._new_temporary()
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with disk_errors(path):
                temporary.write_bytes(content)
                _sync(temporary)
                os.link(temporary, target)
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
        _sync(target.parent)
        return True

    def read(self, path: str) -> bytes:
        """The whole content."""
        return (self._root / path).read_bytes()

    def names(self, folder: str) -> list[str]:
        """Names of the files in the folder, sorted."""
        try:
            return sorted(p.name for p in (self._root / folder).iterdir() if p.is_file())
        except FileNotFoundError:
            return []

    def remove(self, path: str) -> None:
        """Remove the file, and its folder once that is empty."""
        target = self._root / path
        target.unlink(missing_ok=True)
        _remove_empty(target.parent)

    def source(self, path: str) -> MappedFile:
        """The file mapped into memory."""
        return MappedFile(self._root / path)

    def arrow(self, path: str) -> Any:
        """The file mapped into memory by pyarrow."""
        return pa.memory_map(str(self._root / path))

    def digest(self, path: str) -> tuple[int, str]:
        """Size in bytes and sha256 of what is there now."""
        return digest_of(self._root / path)

    def clear_temporary(self) -> None:
        """Remove the owner's unfinished files."""
        for name in self.names(str(self._temporary)):
            (self._temporary / name).unlink(missing_ok=True)
        _remove_empty(self._temporary)
        _remove_empty(self._temporary.parent)

    def _new_temporary(self) -> Path:
        while not self._temporary.is_dir():
            with suppress(FileNotFoundError):  # another owner tidied up between the two levels
                self._temporary.mkdir(parents=True, exist_ok=True)
        return self._temporary / uuid.uuid4().hex


class MappedFile:
    """Ranges of a file without copies; an array keeps the mapping alive."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if hasattr(mmap, "MADV_RANDOM"):  # read what is asked for, not the megabytes around it
            self._map.madvise(mmap.MADV_RANDOM)

    def array(self, dtype: np.dtype, offset: int, n: int) -> np.ndarray:
        """`n` values from byte `offset`, which the system is asked to read ahead."""
        if not n:
            return np.empty(0, dtype)
        n_bytes = n * dtype.itemsize
        if n_bytes > _PAGE and hasattr(mmap, "MADV_WILLNEED"):
            for start in range(offset - offset % _PAGE, offset + n_bytes, _ADVICE_BYTES):
                self._map.madvise(
                    mmap.MADV_WILLNEED, start, min(_ADVICE_BYTES, offset + n_bytes - start)
                )
        return np.frombuffer(self._map, dtype, n, offset)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # not empty, or not there
        folder.rmdir()


def _synced(path: Path) -> tuple[int, str]:
    """Make the file durable; size and sha256, which are found out while the disk works."""
    with ThreadPoolExecutor(1) as beside:
        durable = beside.submit(_sync, path)
        found = digest_of(path)
        durable.result()
    return found


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
