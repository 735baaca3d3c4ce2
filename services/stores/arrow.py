"""Record batches as an Arrow IPC stream: piece by piece, without a copy where they are views."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import pyarrow as pa

# At most so much is copied at once: of a larger piece the server would send what the socket takes
# now, and ask for the rest again.
_READ = 2**18
MEDIA_TYPE = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True, slots=True)
class RecordStream:
    """Batches of one schema. When they `are_views`, having all of them costs no memory, and the
    stream can be given as a file of known size.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    are_views: bool = False

    def table(self) -> pa.Table:
        """All of it."""
        return pa.Table.from_batches(self.batches, self.schema)

    def chunks(self) -> Iterator[bytes]:
        """The encoded stream, a batch at a time."""
        sink = _Pieces()
        with _writer(sink, self.schema) as writer:
            for batch in self.batches:
                writer.write_batch(batch)
                yield sink.taken()
        yield sink.taken()

    def file(self) -> StreamFile:
        """The encoded stream as a file over the batches' own memory."""
        sink = _Pieces()
        with _writer(sink, self.schema) as writer:
            for batch in self.batches:
                writer.write_batch(batch)
        return StreamFile(sink.pieces)


def _writer(sink: _Pieces, schema: pa.Schema) -> pa.ipc.RecordBatchStreamWriter:
    return pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema)


class _Pieces:
    """What the writer wrote: buffers of the batches as they are, and what it put between them."""

    closed = False

    def __init__(self) -> None:
        self.pieces: list[memoryview] = []

    def write(self, data: Any) -> int:
        self.pieces.append(memoryview(data).cast("B"))
        return len(self.pieces[-1])

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Nothing to close."""

    def taken(self) -> bytes:
        """What was written since it was last asked."""
        pieces, self.pieces = self.pieces, []
        return b"".join(pieces)


class StreamFile(io.RawIOBase):
    """Pieces of memory, read as one file: the server sends from them what the client takes."""

    def __init__(self, pieces: list[memoryview]) -> None:
        self._pieces = [piece for piece in pieces if len(piece)]
        self._ends = list(accumulate(len(piece) for piece in self._pieces))
        self._at = 0

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self._ends[-1] if self._ends else 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(origin + offset, 0)
        return self._at

    def read(self, n: int | None = -1) -> bytes:
        """The next `n` bytes, or fewer; all that are left when `n` is not given."""
        left = max(self.size - self._at, 0)
        left = left if n is None or n < 0 else min(n, left, _READ)
        found, number = [], bisect_right(self._ends, self._at)
        while left:
            piece = self._pieces[number]
            skipped = self._at - (self._ends[number] - len(piece))
            found.append(piece[skipped : skipped + left])
            self._at, left = self._at + len(found[-1]), left - len(found[-1])
            number += 1
        return b"".join(found)
