"""What a source consists of: rows, and places that cannot be read, each with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from services.types import SkippedLine

MAX_BYTES = 32 * 2**20
"""Longest line, and longest document: what is held in memory at once."""

TEXT_COLUMN = "text"
"""The column of plain text files."""


@dataclass(frozen=True, slots=True)
class Row:
    """What may become a document."""

    file: str
    line: int | None  # from 1; a row of a table likewise
    values: Mapping[str, Any]
    name: str = ""  # where the source has one


Piece = Row | SkippedLine


class Source(Protocol):
    """Something that corpora are made of; read once, from its beginning."""

    name: str  # short: of the file, folder or dataset
    origin: str
    format: str  # text | jsonl | csv | parquet | dataset

    @property
    def size_bytes(self) -> int | None:
        """Of its files."""
        ...

    @property
    def total(self) -> int | None:
        """How much there is to read, in `unit`."""
        ...

    @property
    def unit(self) -> str:
        """bytes, or documents."""
        ...

    @property
    def is_textual(self) -> bool:
        """Whether all values are text, and types have to be guessed from it."""
        ...

    @property
    def done(self) -> int:
        """How much was read, of `total`, in `unit`."""
        ...

    def pieces(self) -> Iterator[Piece]:
        """All of it, in order.

        Raises:
            ActiscopeError: it cannot be read on.
        """
        ...


class Unreadable(ValueError):
    """A piece cannot be read; the message says why."""


def decoded(data: bytes) -> str:
    """`data` as text.

    Raises:
        Unreadable: it is not UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise Unreadable("it is UTF-16: save it as UTF-8") from None
        raise Unreadable(f"not UTF-8 at byte {error.start + 1} of it") from None


def check_text(text: str, what: str) -> None:
    """Refuse what no database and no tokenizer takes.

    Raises:
        Unreadable: U+0000, or half of a surrogate pair.
    """
    if "\x00" in text:
        raise Unreadable(f"{what} contains U+0000 (NUL), at character {text.index(chr(0)) + 1}")
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Unreadable(
            f"{what} contains a lone surrogate, at character {error.start + 1}"
        ) from None


def skipped(file: str, line: int | None, make: Callable[[], Row]) -> Piece:
    """The row, or why there is none."""
    try:
        return make()
    except Unreadable as error:
        return SkippedLine(file, line, str(error))
