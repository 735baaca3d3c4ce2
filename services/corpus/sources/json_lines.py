"""JSON: an object per line, or one list of objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from services.corpus.sources.lines import TOO_LONG, SourceFile, Stream, lines, opened
from services.corpus.sources.pieces import MAX_BYTES, Piece, Row, Unreadable, decoded, skipped
from services.json_keys import unique_keys
from services.types import SkippedLine

_STEP = 2**18
_BLANK = " \t\r\n"
_ESCAPED = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8, decoded nevertheless


def read_json(file: SourceFile) -> Iterator[Piece]:
    """A row per object; blank lines are none."""
    with opened(file) as stream:
        start = _first_byte(file)
        yield from _of_list(file, stream) if start == b"[" else _of_lines(file, stream)


def _of_lines(file: SourceFile, stream: Stream) -> Iterator[Piece]:
    for number, data in lines(stream):
        if data is None:
            yield SkippedLine(file.name, number, TOO_LONG)
        elif data.strip():
            yield _line(file, number, data)


def _line(file: SourceFile, number: int, data: bytes) -> Piece:
    return skipped(file.name, number, lambda: _row(file, number, _parsed(decoded(data))))


def _row(file: SourceFile, line: int, value: Any) -> Row:
    if not isinstance(value, dict):
        raise Unreadable(f"it is {_KINDS.get(type(value), 'null')}, not an object")
    return Row(file.name, line, value)


_KINDS = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false"}


def _parsed(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error.msg}, at character {error.pos + 1}") from None
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except ValueError as error:
        raise Unreadable(_reason(error)) from None


def _of_list(file: SourceFile, stream: Stream) -> Iterator[Piece]:
    """The elements of a list, each parsed once enough of it was read."""
    text = _Buffer(stream)
    text.skip("[")
    while True:
        try:
            if not text.at_element():
                break
            line, value = text.line, text.element()
        except (Unreadable, ValueError, RecursionError) as error:
            reason = f"{_reason(error)}; nothing after it is read, for the list has no lines"
            yield SkippedLine(file.name, text.line, reason)
            return
        if text.is_utf8:
            yield skipped(file.name, line, lambda v=value, n=line: _row(file, n, v))  # type: ignore[misc]
        else:
            yield SkippedLine(file.name, line, "not UTF-8")


class _Buffer:
    """As much of a list as is needed for its next element."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._text, self._at = stream, "", 0
        self._rest, self._ended = b"", False
        self._between = False  # an element was read: a comma, or the end
        self.line = 1
        self.is_utf8 = True  # the element that was read last

    def skip(self, character: str) -> None:
        """Go beyond the next character, which is this one."""
        self._to_next()
        self._move(self._at + len(character))

    def at_element(self) -> bool:
        """Go to the next element; False at the end of the list."""
        following = self._to_next()
        if self._between and following == ",":
            self._move(self._at + 1)
            self._between, following = False, self._to_next()
        elif self._between and following != "]":
            raise Unreadable("not JSON: expected , or ] after an element")
        if following == "]":
            self._move(self._at + 1)
            if self._to_next():
                raise Unreadable("there is more after the end of the list")
            return False
        return True

    def element(self) -> Any:
        """The element that begins here."""
        step = _STEP
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                if end < len(self._text) or self._ended:
                    break
            except json.JSONDecodeError as error:
                if self._ended or len(self._text) - self._at > MAX_BYTES:
                    raise Unreadable(f"not JSON: {error.msg}") from None
            self._more(step)
            step *= 2  # so that a long element is not parsed again for each piece of it
        self.is_utf8 = _ESCAPED.search(self._text, self._at, end) is None
        self._move(end)
        self._between = True
        return value

    def _to_next(self) -> str:
        """Go to the next character that is not blank, and give it; "" at the end."""
        while True:
            at = self._at
            while at < len(self._text) and self._text[at] in _BLANK:
                at += 1
            self._move(at)
            if at < len(self._text):
                return self._text[at]
            if self._ended:
                return ""
            self._more(_STEP)

    def _move(self, at: int) -> None:
        self.line += self._text.count("\n", self._at, at)
        self._at = at

    def _more(self, n_bytes: int) -> None:
        data = self._rest + (read := self._stream.read(n_bytes))
        self._ended = not read
        cut = len(data) if self._ended else _whole(data)
        self._text = self._text[self._at :] + data[:cut].decode("utf-8", "surrogateescape")
        self._at, self._rest = 0, data[cut:]


def _whole(data: bytes) -> int:
    """Where the last character that is complete ends."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return len(data)
        if byte >= 0xC0:  # begins a character of as many bytes as it has leading ones
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) if back >= needed else len(data) - back
    return len(data)


def _first_byte(file: SourceFile) -> bytes:
    with opened(SourceFile(file.path, file.name)) as stream:
        return stream.read(4096).lstrip()[:1]


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    text = str(error)
    return "a number has too many digits" if "integer string conversion" in text else text


_DECODER = json.JSONDecoder(object_pairs_hook=unique_keys, parse_constant=_constant)
