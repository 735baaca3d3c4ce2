"""Plain text: a document per file, per line, or per paragraph."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Literal

from services.corpus.sources.lines import TOO_LONG, SourceFile, Stream, lines, opened
from services.corpus.sources.pieces import (
    MAX_BYTES,
    TEXT_COLUMN,
    Piece,
    Row,
    check_text,
    decoded,
    skipped,
)
from services.types import SkippedLine

Separator = Literal["file", "line", "blank_line"]


def read_text(file: SourceFile, separator: Separator) -> Iterator[Piece]:
    """The documents of the file; where several are in it, blank ones are none."""
    with opened(file) as stream:
        if separator == "file":
            yield _whole(file, stream)
        elif separator == "line":
            yield from _by_line(file, stream)
        else:
            yield from _by_paragraph(file, stream)


def _whole(file: SourceFile, stream: Stream) -> Piece:
    data = bytearray()
    while len(data) <= MAX_BYTES and (more := stream.read(2**20)):
        data += more
    if len(data) > MAX_BYTES:
        reason = f"the file has more than {MAX_BYTES // 2**20} MiB: let a line be a document"
        return SkippedLine(file.name, None, reason)
    try:
        text = bytes(data).decode("utf-8")
        line = text.count("\n", 0, max(text.find("\x00"), 0)) + 1
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    return skipped(file.name, line, lambda: _row(file, None, bytes(data), file.name))


def _by_line(file: SourceFile, stream: Stream) -> Iterator[Piece]:
    for number, data in lines(stream):
        if data is None:
            yield SkippedLine(file.name, number, TOO_LONG)
        elif data.strip():
            yield _line(file, number, data.rstrip(b"\r\n"))


def _line(file: SourceFile, number: int, data: bytes) -> Piece:
    return skipped(file.name, number, lambda: _row(file, number, data))


def _by_paragraph(file: SourceFile, stream: Stream) -> Iterator[Piece]:
    """Runs of lines that are not blank; a run that has a bad line is bad from its beginning."""
    first, kept, problem = 1, bytearray(), ""
    for number in count(1):
        data = stream.readline(MAX_BYTES)
        if data.strip():
            first = first if kept or problem else number
            problem = problem or _too_long(len(kept) + len(data))
            kept = bytearray() if problem else kept + data
            continue
        if problem:
            yield SkippedLine(file.name, first, problem)
        elif kept:
            yield _line(file, first, bytes(kept).rstrip(b"\r\n"))
        kept, problem = bytearray(), ""
        if not data:
            return


def _too_long(n_bytes: int) -> str:
    return f"the paragraph has more than {MAX_BYTES // 2**20} MiB" if n_bytes >= MAX_BYTES else ""


def _row(file: SourceFile, line: int | None, data: bytes, name: str = "") -> Row:
    text = decoded(data)
    check_text(text, "the text")
    return Row(file.name, line, {TEXT_COLUMN: text}, name)
