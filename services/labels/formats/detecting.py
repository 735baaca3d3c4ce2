"""Which format a file of labels has: by what is in it, never by its name."""

from __future__ import annotations

import codecs
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.errors import InvalidArgument, TooLarge
from services.labels.formats import native, neuronpedia, plain, splatnlp, table
from services.labels.formats.items import LabelFile, Malformed, parse_json

MAX_BYTES = 192 * 2**20  # after unpacking; read as a whole, which takes several times as much
_GZIP = b"\x1f\x8b"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_JSON = (native, neuronpedia, splatnlp, plain)

_KNOWN = (
    "this is no file of labels that is known: CSV with columns feature_id and label, JSON of this "
    "product, explanations of Neuronpedia (index and description), or an object by the numbers of "
    "the features"
)


def read_file(path: Path) -> bytes:
    """The content of a file.

    Raises:
        InvalidArgument: it cannot be read.
        TooLarge: more than `MAX_BYTES`.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _too_large()
        return path.read_bytes()
    except OSError as error:
        raise InvalidArgument(f"{path.name} cannot be read: {error.strerror}") from None


def label_file(content: bytes) -> LabelFile:
    """The content, opened as what it is.

    Raises:
        InvalidArgument: it is no file of labels, or no text.
        TooLarge: more than `MAX_BYTES`.
    """
    text = _text(_unpacked(content))
    start = text.lstrip()[:1]
    if not start:
        raise InvalidArgument("the file is empty")
    if start not in "{[":
        return table.read(text)
    first, _, rest = text.lstrip().partition("\n")
    if start == "{" and rest.strip() and _is_object(first):
        return neuronpedia.read_lines(_lines(text))
    try:
        document = parse_json(text)
    except ValueError as error:
        raise InvalidArgument(f"the file is not JSON: {error}") from None
    try:
        found = (format.read(document) for format in _JSON)
        return next(file for file in found if file is not None)
    except StopIteration:
        raise InvalidArgument(_KNOWN) from None
    except Malformed as error:  # in what stands around the labels
        raise InvalidArgument(f"the file cannot be kept: {error}") from None


def _unpacked(content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise _too_large()
    if not content.startswith(_GZIP):
        return content
    unpack = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpack.decompress(content, MAX_BYTES + 1)
    except zlib.error as error:
        raise InvalidArgument(f"the file is gzip, but damaged: {error}") from None
    if len(unpacked) > MAX_BYTES:
        raise _too_large()
    if not unpack.eof:
        raise InvalidArgument("the file is gzip, but ends before its end")
    return unpacked


def _text(content: bytes) -> str:
    bom, encoding = next(
        ((bom, name) for bom, name in _BOMS if content.startswith(bom)), (b"", "utf-8")
    )
    try:
        return content[len(bom) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidArgument(f"line {line}: the text is not {encoding.upper()}") from None


def _is_object(line: str) -> bool:
    try:
        return isinstance(parse_json(line), dict)
    except ValueError:
        return False


def _lines(text: str) -> Iterator[tuple[str, Any]]:
    """Place and value of each line; in place of a value the ValueError that says why not."""
    for number, line in enumerate(io.StringIO(text, newline="\n"), 1):
        if line.strip():
            try:
                yield f"line {number}", parse_json(line)
            except ValueError as error:
                yield f"line {number}", error


def _too_large() -> TooLarge:
    return TooLarge(f"the file has more than {MAX_BYTES // 2**20} MiB: split it", limit=MAX_BYTES)
