"""CSV with a header; commas, semicolons or tabs, whichever the header has most of."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from services.corpus.sources.lines import SourceFile, Stream, lines, opened
from services.corpus.sources.pieces import MAX_BYTES, Piece, Row, Unreadable, check_text
from services.types import SkippedLine

_DELIMITERS = (",", ";", "\t")
csv.field_size_limit(MAX_BYTES)


def read_csv(file: SourceFile) -> Iterator[Piece]:
    """A row per record; blank lines are none. The file is bad as a whole when its header is."""
    with opened(file) as stream:
        source = _Texts(stream)
        try:
            first = next(source, "")
            delimiter = _delimiter(first)
            reader = csv.reader(source, strict=True, delimiter=delimiter)
            header = _header(first, delimiter)
        except (csv.Error, Unreadable) as error:
            yield SkippedLine(file.name, 1, f"the header: {error}; nothing of the file is read")
            return
        yield from _records(file, reader, source, header)


def _records(
    file: SourceFile, reader: Iterator[list[str]], source: _Texts, header: list[str]
) -> Iterator[Piece]:
    while True:
        before = source.number
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, Unreadable) as error:
            swallowed = source.number - before
            more = f"; {swallowed:,} lines from here on are lost by it" if swallowed > 1 else ""
            yield SkippedLine(file.name, before + 1, f"not CSV: {error}{more}")
            continue
        if fields:
            yield _record(file, before + 1, fields, header)


def _record(file: SourceFile, line: int, fields: list[str], header: list[str]) -> Piece:
    if len(fields) != len(header):
        reason = f"{len(fields)} fields, where the header has {len(header)}"
        return SkippedLine(file.name, line, reason)
    # Bytes that are no UTF-8 were decoded to lone surrogates.
    if any("\udc80" <= c <= "\udcff" for f in fields if not f.isascii() for c in f):
        return SkippedLine(file.name, line, "not UTF-8")
    return Row(file.name, line, dict(zip(header, fields, strict=True)))


class _Texts:
    """Lines as the csv module wants them, counted."""

    def __init__(self, stream: Stream) -> None:
        self._lines = lines(stream)
        self.number = 0

    def __iter__(self) -> _Texts:
        return self

    def __next__(self) -> str:
        self.number, data = next(self._lines)
        if data is None:
            raise Unreadable(f"the line has more than {MAX_BYTES // 2**20} MiB")
        return data.decode("utf-8", "surrogateescape")


def _delimiter(line: str) -> str:
    return max(_DELIMITERS, key=line.count)


def _header(line: str, delimiter: str) -> list[str]:
    """The names of the columns; those without one get their number."""
    names = next(csv.reader([line], strict=True, delimiter=delimiter), [])
    names = [name.strip() or f"column_{i}" for i, name in enumerate(names, 1)]
    if not any(names):
        raise Unreadable("it is empty")
    for name in names:
        check_text(name, "the name of a column")
        if names.count(name) > 1:
            raise Unreadable(f"the column {name[:100]!r} is there twice")
    return names
