"""A store on an fsspec file system: files are made locally and put whole, ranges are requested."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from services.store.manifest import File
from services.store.storage import Pending, digest_of, disk_errors

_CHUNK = 2**22


class RemoteStorage:
    """Files below `root`. An object appears when its put is complete, which makes it atomic."""

    def __init__(self, filesystem: Any, root: str, url: str) -> None:
        self.url, self._fs, self._root = url, filesystem, root.rstrip("/")

    @contextmanager
    def writing(self, path: str) -> Iterator[Pending]:
        """Write a local temporary file and put it."""
        with tempfile.TemporaryDirectory() as folder:
            pending = Pending(Path(folder) / "file")
            with disk_errors(path):
                yield pending
            n_bytes, sha256 = digest_of(pending.local)
            self._make_parent(path)
            self._fs.put_file(str(pending.local), self._at(path))
        pending.file = File(path, n_bytes, sha256)

    def put_if_absent(self, path: str, content: bytes) -> bool:
        """A conditional put (If-None-Match on object stores)."""
        self._make_parent(path)
        try:
            self._fs.pipe_file(self._at(path), content, mode="create")
        except FileExistsError:
            return False
        return True

    def read(self, path: str) -> bytes:
        """The whole content."""
        content: bytes = self._fs.cat_file(self._at(path))
        return content

    def names(self, folder: str) -> list[str]:
        """Names of the files in the folder, sorted."""
        self._fs.invalidate_cache(self._at(folder))
        try:
            found = self._fs.ls(self._at(folder), detail=True)
        except FileNotFoundError:
            return []
        return sorted(f["name"].rsplit("/", 1)[-1] for f in found if f["type"] == "file")

    def remove(self, path: str) -> None:
        """Remove the file if it is there."""
        try:
            self._fs.rm_file(self._at(path))
        except FileNotFoundError:
            return

    def source(self, path: str) -> RequestedFile:
        """The file, of which ranges are requested."""
        if not self._fs.exists(self._at(path)):
            raise FileNotFoundError(path)
        return RequestedFile(self._fs, self._at(path))

    def arrow(self, path: str) -> Any:
        """The file as a Python file."""
        return self._fs.open(self._at(path), "rb")

    def digest(self, path: str) -> tuple[int, str]:
        """Size in bytes and sha256 of what is there now."""
        seen, n_bytes = hashlib.sha256(), 0
        with self._fs.open(self._at(path), "rb") as file:
            while chunk := file.read(_CHUNK):
                seen.update(chunk)
                n_bytes += len(chunk)
        return n_bytes, seen.hexdigest()

    def clear_temporary(self) -> None:
        """Temporary files are local and gone with their process."""

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _make_parent(self, path: str) -> None:
        self._fs.makedirs(self._at(path).rsplit("/", 1)[0], exist_ok=True)


class RequestedFile:
    """One request per range."""

    def __init__(self, filesystem: Any, path: str) -> None:
        self._fs, self._path = filesystem, path

    def array(self, dtype: np.dtype, offset: int, n: int) -> np.ndarray:
        """`n` values from byte `offset`."""
        if not n:
            return np.empty(0, dtype)
        end = offset + n * dtype.itemsize
        return np.frombuffer(self._fs.cat_file(self._path, start=offset, end=end), dtype)
