"""The first of two passes: documents out of a source, metadata as it came, and what is skipped.

The types of the columns are known only at the end of the source, and a source may be readable
once only, so the documents are kept in a file of the staging folder meanwhile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from services.corpus.columns import Columns, as_text, kind_of
from services.corpus.manifest import SKIPPED, CorpusFile
from services.corpus.requests import AddCorpus
from services.corpus.sources.pieces import (
    MAX_BYTES,
    TEXT_COLUMN,
    Piece,
    Row,
    Source,
    Unreadable,
    check_text,
    decoded,
)
from services.corpus.writing import TableWriter
from services.errors import InvalidArgument
from services.types import SkippedLine

_SCHEMA = pa.schema(
    [("name", pa.string()), ("text", pa.large_string()), ("metadata", pa.large_string())]
)
_LOOKED_AT, _LOOKED_AT_CHARS = 100, 2**20
_LOOK_S = 0.5  # how often a cancellation is looked for


class Reporter(Protocol):
    """Where the work says what it does, and learns that it is to stop; JobContext is one."""

    def begin(self, phase: str, total: int | None = None, unit: str = "", done: int = 0) -> None:
        """A phase begins."""
        ...

    def progress(self, done: int, total: int | None = None, message: str | None = None) -> None:
        """So much of it is done."""
        ...

    def log(self, message: str, level: str = "info") -> None:
        """Something worth telling."""
        ...

    def check(self) -> None:
        """Raise when the work is to stop."""
        ...


@dataclass
class Gathered:
    """What came out of a source."""

    text_column: str
    columns: Columns
    files: list[CorpusFile] = field(default_factory=list)  # in the folder it was gathered in
    n_documents: int = 0
    n_chars: int = 0
    n_skipped: int = 0


class Pulse:
    """Tells how far the work is, and looks for a cancellation, now and then."""

    def __init__(self, job: Reporter) -> None:
        self._job, self._at = job, time.monotonic()

    def beat(self, done: int) -> None:
        """After each document."""
        now = time.monotonic()
        if now - self._at >= _LOOK_S:
            self._at = now
            self._job.progress(done)
            self._job.check()


def gather(source: Source, request: AddCorpus, folder: Path, job: Reporter) -> Gathered:
    """Read the source to its end into `folder`.

    Raises:
        InvalidArgument: a piece cannot be read and `on_error` is stop; or there are no documents.
    """
    job.begin("reading", source.total, source.unit)
    pieces, first = _peeked(source.pieces())
    wanted = None if request.metadata is None else frozenset(request.metadata)
    text_column = chosen_text_column(first, request.text_column, source.is_textual)
    gathered = Gathered(text_column, Columns(source.is_textual, wanted))
    pulse = Pulse(job)
    with (
        TableWriter(folder, "gathered", _SCHEMA) as writer,
        (folder / SKIPPED).open("w", encoding="utf-8") as skipped,
    ):
        for piece in pieces:
            problem = piece if isinstance(piece, SkippedLine) else _take(piece, gathered, writer)
            if problem is not None:
                if request.on_error == "stop":
                    raise _refused(problem)
                gathered.n_skipped += 1
                skipped.write(json.dumps(_storable(problem)) + "\n")
            pulse.beat(source.done)
    job.progress(source.done)
    gathered.files = writer.files
    _check_columns(gathered, wanted)
    return gathered


def chosen_text_column(rows: Sequence[Row], named: str | None, is_textual: bool) -> str:
    """The column of the text: the named one, `text`, or the only one that holds text.

    Raises:
        InvalidArgument: it has to be chosen, or none of the first rows has the named one.
    """
    if not rows:
        return named or TEXT_COLUMN
    there = ", ".join(dict.fromkeys(name[:100] for row in rows for name in row.values))[:1000]
    if named is not None:
        if not any(named in row.values for row in rows):
            raise InvalidArgument(
                f"there is no column {named[:100]!r}; there are: {there or 'none'}",
                field="text_column",
            )
        return named
    if any(isinstance(row.values.get(TEXT_COLUMN), str) for row in rows):
        return TEXT_COLUMN
    texts = text_columns(rows, is_textual)
    if len(texts) == 1:
        return texts[0]
    raise InvalidArgument(
        "which column is the text? Name it with text_column (`--text-column`); there are: "
        f"{there or 'none'}",
        field="text_column",
    )


def text_columns(rows: Sequence[Row], is_textual: bool) -> list[str]:
    """The columns that hold text in these rows, and nothing else."""
    kinds: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.values.items():
            if kind := kind_of(value, is_textual):
                kinds.setdefault(name, set()).add(kind)
    return [name for name, found in kinds.items() if found == {"string"}]


def _peeked(pieces: Iterator[Piece]) -> tuple[Iterator[Piece], list[Row]]:
    """All pieces, and the first rows of them."""
    first: list[Piece] = []
    n_chars = 0
    for piece in pieces:
        first.append(piece)
        if isinstance(piece, Row):
            n_chars += sum(len(v) for v in piece.values.values() if isinstance(v, str))
        if len(first) >= _LOOKED_AT or n_chars > _LOOKED_AT_CHARS:
            break
    return chain(first, pieces), [piece for piece in first if isinstance(piece, Row)]


def _take(row: Row, gathered: Gathered, writer: TableWriter) -> SkippedLine | None:
    """Keep the row's document; what is wrong when there is none."""
    try:
        text = _text(row.values, gathered.text_column)
        _check_values(row.values, gathered)
        name = _name(row, gathered.text_column)
    except Unreadable as error:
        return SkippedLine(row.file, row.line, str(error))
    if isinstance(row.values.get("name"), dict | list | bytes):
        gathered.columns.left_out.setdefault("name", "it is no text in some documents")
    kept = gathered.columns.take(row.values, but={gathered.text_column, "name"})
    metadata = json.dumps(kept, ensure_ascii=False)
    writer.add({"name": name, "text": text, "metadata": metadata}, len(text) + len(metadata))
    gathered.n_documents += 1
    gathered.n_chars += len(text)
    return None


def _text(values: Mapping[str, Any], column: str) -> str:
    if column not in values:
        there = ", ".join(name[:100] for name in values) or "nothing"
        raise Unreadable(f"there is no column {column[:100]!r}; it has {there[:500]}")
    value = values[column]
    if isinstance(value, bytes):
        value = decoded(value)
    if not isinstance(value, str):
        kind = _KINDS.get(type(value), "no text")
        raise Unreadable(f"the column {column[:100]!r} is {kind}, not a text")
    if len(value) > MAX_BYTES:
        raise Unreadable(f"the text has more than {MAX_BYTES // 2**20} Mi characters")
    check_text(value, "the text")
    return value


_KINDS = {type(None): "null", int: "a number", float: "a number", bool: "true or false",
          list: "a list", dict: "an object"}  # fmt: skip


def _check_values(values: Mapping[str, Any], gathered: Gathered) -> None:
    """Refuse names and values that could not be stored."""
    wanted = gathered.columns.wanted
    for name, value in values.items():
        check_text(name, "the name of a column")
        if wanted is not None and name not in wanted:
            continue
        if isinstance(value, str):
            check_text(value, f"the column {name[:100]!r}")
        elif isinstance(value, dict | list) and kind_of(value) == "nested":
            check_text(as_text(value), f"the column {name[:100]!r}")


def _name(row: Row, text_column: str) -> str:
    """The document's name: its columns `name` or `id`, else where it was found."""
    for column in ("name", "id"):
        value = row.values.get(column)
        if (
            column != text_column
            and isinstance(value, str | int | float)
            and as_text(value).strip()
        ):
            return as_text(value)
    return row.name or f"{row.file}:{row.line}"


def _check_columns(gathered: Gathered, wanted: frozenset[str] | None) -> None:
    if not gathered.n_documents:
        skipped = f"; {gathered.n_skipped:,} pieces of it are skipped" if gathered.n_skipped else ""
        raise InvalidArgument(f"there are no documents in it{skipped}")
    given = {"name", gathered.text_column, *gathered.columns.kinds}
    if missing := sorted((wanted or frozenset()) - given):
        raise InvalidArgument(f"there is no column {missing[0][:100]!r}", field="metadata")


def _refused(problem: SkippedLine) -> InvalidArgument:
    place = problem.file if problem.line is None else f"{problem.file}, line {problem.line:,}"
    return InvalidArgument(
        f"{place}: {problem.reason}. Mend it, or leave out what cannot be read (on_error: "
        "skip, `--skip`)",
        file=problem.file,
        line=problem.line,
        reason=problem.reason,
    )


def _storable(problem: SkippedLine) -> dict[str, Any]:
    return asdict(problem) | {"reason": problem.reason[:1000]}
