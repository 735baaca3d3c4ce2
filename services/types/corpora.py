"""Corpora: the documents that features are extracted over, as they are listed and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class CorpusSource(StrEnum):
    """Where a corpus came from."""

    DEMO = "demo"  # shipped with the product
    UPLOAD = "upload"  # sent by a browser or over REST
    FOLDER = "folder"  # a file or folder of this machine
    HUGGINGFACE = "huggingface"  # a dataset of the hub


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A piece of a source that could not be read as a document."""

    file: str  # its name, without the folders above
    line: int | None  # from 1; a row of a Parquet file likewise
    reason: str


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """A corpus that is registered: complete, and no longer changed."""

    corpus_id: str
    name: str
    source: CorpusSource
    origin: str  # file names, or repository, configuration and split
    content_hash: str  # sha256 over names, texts and metadata of all documents
    text_column: str
    metadata: Mapping[str, str]  # column: string, int64, float64 or bool
    n_documents: int
    n_chars: int
    n_skipped: int
    size_bytes: int
    created_at: datetime
    deleted_at: datetime | None = None
    problem: str | None = None  # why it cannot be read now


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """One document of a corpus."""

    number: int  # from 0
    name: str
    text: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CorpusPreview:
    """Some documents of a corpus, cut after so many characters."""

    documents: tuple[CorpusDocument, ...]
    start: int
    n_documents: int


@dataclass(frozen=True, slots=True)
class SourcePreview:
    """What is in a source before it is added: enough to choose the column of the text."""

    file: str
    format: str  # text | jsonl | csv | parquet | dataset
    columns: Mapping[str, str]  # name: string, int64, float64, bool, or another type in words
    rows: tuple[Mapping[str, Any], ...]  # the first ones, long values cut
    suggested_text: str | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class CorpusStatistics:
    """Of all documents of a corpus, in characters."""

    n_documents: int
    n_chars: int
    n_empty: int  # left out by every extraction
    shortest: int
    median: float
    longest: int
    mean: float
    length_edges: tuple[float, ...]  # of the histogram, logarithmic
    length_counts: tuple[int, ...]
    metadata: Mapping[str, tuple[tuple[str, int], ...]]  # column: its most frequent values
    skipped: tuple[SkippedLine, ...]  # the first ones


@dataclass(frozen=True, slots=True)
class PackedWindow:
    """One sequence as the model will read it."""

    document: int
    tokens: tuple[str, ...]
    token_ids: tuple[int, ...]
    is_special: tuple[bool, ...]
    is_new: tuple[bool, ...]  # False: context only, kept from the window before


@dataclass(frozen=True, slots=True)
class PackingPreview:
    """The first windows of a corpus, and what the packing makes of the documents looked at."""

    model_id: str
    context: int
    windows: tuple[PackedWindow, ...]
    n_documents: int  # that were looked at
    n_tokens: int  # kept of them
    n_left_out: int  # tokens beyond the context of long documents
    chars_per_token: float
    estimated_tokens: int  # of the whole corpus, at that rate
