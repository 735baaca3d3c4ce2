"""The first of what is in a source, or some documents of a corpus: enough to see what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from services.corpus.columns import kind_of
from services.corpus.gathering import text_columns
from services.corpus.reading import Corpus
from services.corpus.requests import PreviewQuery
from services.corpus.sources.pieces import TEXT_COLUMN, Row, Source
from services.errors import InvalidArgument
from services.text import storable
from services.types import CorpusPreview, SkippedLine, SourcePreview

_ROWS, _PIECES, _CHARS = 20, 100, 500
_TYPES = {"int": "int64", "large": "int64", "float": "float64"}
_IN_WORDS = {"nested": "list or object", "bytes": "bytes"}


def look_at(source: Source) -> SourcePreview:
    """The first rows of the source, and what its columns seem to hold.

    Raises:
        InvalidArgument: none of the first pieces can be read.
    """
    pieces = list(islice(source.pieces(), _PIECES))
    rows = [piece for piece in pieces if isinstance(piece, Row)]
    if not rows:
        raise InvalidArgument(_nothing(pieces[0] if pieces else None, source.name))
    return SourcePreview(
        file=storable(source.name),
        format=source.format,
        columns=_columns(rows, source.is_textual),
        rows=tuple(_shown(row.values) for row in rows[:_ROWS]),
        suggested_text=_suggested(rows, source.is_textual),
        size_bytes=source.size_bytes,
    )


def preview_of(corpus: Corpus, query: PreviewQuery) -> CorpusPreview:
    """Some documents of a corpus."""
    found = corpus.documents(query.start, query.start + query.limit)
    documents = tuple(replace(d, text=d.text[: query.chars]) for d in found)
    return CorpusPreview(documents, query.start, corpus.info.n_documents)


def _nothing(first: Row | SkippedLine | None, name: str) -> str:
    if isinstance(first, SkippedLine):
        line = "" if first.line is None else f", line {first.line}"
        return f"nothing of it can be read: {first.file}{line}: {first.reason}"
    return f"there is nothing in {name}"


def _columns(rows: list[Row], is_textual: bool) -> dict[str, str]:
    kinds: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.values.items():
            found = kinds.setdefault(storable(name), set())
            if kind := kind_of(value, is_textual):
                found.add(kind)
    return {name: _in_words(found) for name, found in kinds.items()}


def _in_words(kinds: set[str]) -> str:
    types = {_IN_WORDS.get(kind, _TYPES.get(kind, kind)) for kind in kinds}
    if types == {"int64", "float64"}:
        return "float64"
    return types.pop() if len(types) == 1 else "mixed" if types else "empty"


def _suggested(rows: list[Row], is_textual: bool) -> str | None:
    """`text`, or the column whose texts are longest."""
    texts = text_columns(rows, is_textual)
    if TEXT_COLUMN in texts or not texts:
        return TEXT_COLUMN if texts else None
    return max(texts, key=lambda name: sum(len(row.values.get(name) or "") for row in rows))


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {storable(name): _cut(value) for name, value in values.items()}


def _cut(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, bool | int | float) or value is None:
        return value if not isinstance(value, int) or abs(value) < 2**63 else str(value)
    text = storable(value if isinstance(value, str) else str(value))
    return text if len(text) <= _CHARS else text[:_CHARS] + "…"
