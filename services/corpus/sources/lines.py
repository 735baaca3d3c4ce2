"""Lines of a file, compressed or not, none of which can fill the memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from services.corpus.sources.pieces import MAX_BYTES, Unreadable

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Damaged(Unreadable):
    """Nothing more can be read of the file."""


@dataclass
class SourceFile:
    """A file of a source; `position` moves on as it is read."""

    path: Path
    name: str  # as it is shown
    position: int = 0  # in bytes on the disk
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = self.path.stat().st_size


class Stream(Protocol):
    """What is read of a file."""

    def readline(self, limit: int) -> bytes:
        """The rest of the line, at most `limit` bytes; nothing at the end."""
        ...

    def read(self, limit: int) -> bytes:
        """The next bytes, at most `limit`; nothing at the end."""
        ...


@contextmanager
def opened(file: SourceFile) -> Iterator[Stream]:
    """The file's content, uncompressed, whatever its name says, without a byte order mark."""
    with file.path.open("rb") as raw:
        is_gzip = raw.peek(2)[:2] == _GZIP
        stream: Any = gzip.GzipFile(fileobj=raw) if is_gzip else raw
        yield _Moving(stream, raw, file)


class _Moving:
    """A stream that tells how far it is."""

    def __init__(self, stream: Any, raw: IO[bytes], file: SourceFile) -> None:
        self._stream, self._raw, self._file = stream, raw, file
        self._begun = False

    def readline(self, limit: int) -> bytes:
        """The rest of the line, at most `limit` bytes."""
        return self._get(lambda: self._stream.readline(limit))

    def read(self, limit: int) -> bytes:
        """The next bytes, at most `limit`."""
        return self._get(lambda: self._stream.read(limit))

    def _get(self, read: Callable[[], bytes]) -> bytes:
        try:
            data = read()
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Damaged(f"the compressed file is damaged ({error}); nothing after it") from None
        self._file.position = self._raw.tell()
        if not self._begun:
            self._begun, data = True, data.removeprefix(_BOM)
        return data


def lines(stream: Stream) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its number and its end; None for one that is too long.

    Raises:
        Damaged: the file ends before its end.
    """
    number = 0
    while data := stream.readline(MAX_BYTES):
        number += 1
        if len(data) < MAX_BYTES or data.endswith(b"\n"):
            yield number, data
            continue
        while data and not data.endswith(b"\n"):
            data = stream.readline(2**20)
        yield number, None


TOO_LONG = f"the line has more than {MAX_BYTES // 2**20} MiB"
