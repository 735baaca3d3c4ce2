"""Where a store is: a local folder or any fsspec URL. Only whole files are ever visible."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import fsspec
import numpy as np

from services.errors import ResourceExhausted
from services.store.manifest import File

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(slots=True)
class Pending:
    """A file being written: fill `local`; `file` is set once it is committed."""

    local: Path
    file: File | None = None

    @property
    def committed(self) -> File:
        """What the file became."""
        if self.file is None:
            raise RuntimeError(f"{self.local.name} is not committed yet")
        return self.file


class Source(Protocol):
    """A file of which ranges are read."""

    def array(self, dtype: np.dtype, offset: int, n: int) -> np.ndarray:
        """`n` values from byte `offset`; no copy where the file is mapped into memory."""
        ...


class Storage(Protocol):
    """Files by path relative to the store."""

    url: str

    def writing(self, path: str) -> AbstractContextManager[Pending]:
        """A file that appears whole when the block ends, and never when it raises.

        Raises:
            ResourceExhausted: the disk is full; nothing is left behind.
        """
        ...

    def put_if_absent(self, path: str, content: bytes) -> bool:
        """Make the file with this content unless it exists; False when it did."""
        ...

    def read(self, path: str) -> bytes:
        """The whole content; FileNotFoundError when there is none."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names of the files in the folder, sorted; empty when there is no such folder."""
        ...

    def remove(self, path: str) -> None:
        """Remove the file if it is there."""
        ...

    def source(self, path: str) -> Source:
        """The file, to read ranges of; FileNotFoundError when there is none."""
        ...

    def arrow(self, path: str) -> Any:
        """The file, to be read by pyarrow."""
        ...

    def digest(self, path: str) -> tuple[int, str]:
        """Size in bytes and sha256 of what is there now."""
        ...

    def clear_temporary(self) -> None:
        """Remove what an earlier process of the same owner left unfinished."""
        ...


def open_storage(url: str | Path, owner: str = "readers") -> Storage:
    """The storage at a local path or fsspec URL; `owner` keeps unfinished files of processes that
    write at the same time apart.
    """
    from services.store.local import LocalStorage
    from services.store.remote import RemoteStorage

    filesystem, root = fsspec.core.url_to_fs(str(url))
    if "file" in _protocols(filesystem):
        return LocalStorage(Path(root), owner)
    return RemoteStorage(filesystem, root, str(url))


def _protocols(filesystem: Any) -> tuple[str, ...]:
    found = filesystem.protocol
    return (found,) if isinstance(found, str) else tuple(found)


def digest_of(path: Path) -> tuple[int, str]:
    """Size in bytes and sha256 of a local file."""
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def disk_errors(path: str) -> Iterator[None]:
    """A full disk as ResourceExhausted."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise ResourceExhausted(f"no space left to write {path}", path=path) from error
        raise
