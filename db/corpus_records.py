"""The plain values of corpora that their repository takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

CORPUS_SOURCES = ("demo", "upload", "folder", "huggingface")


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusRecord:
    """A corpus that was seen in a folder of this server."""

    corpus_id: str
    name: str
    source: str  # one of CORPUS_SOURCES
    origin: str
    content_hash: str
    text_column: str
    metadata_columns: Mapping[str, str]
    n_documents: int
    n_chars: int
    n_skipped: int
    size_bytes: int
    created_at: datetime
    deleted_at: datetime | None = None
