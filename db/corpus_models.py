"""The table of corpora: an index of their folders, and what folders cannot keep."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.columns import SafeText
from db.corpus_records import CORPUS_SOURCES


class CorpusRow(Base):
    """A corpus that was seen in a folder of this server."""

    __tablename__ = "corpora"
    __table_args__ = (
        CheckConstraint(f"source IN ({', '.join(map(repr, CORPUS_SOURCES))})", name="source"),
        Index(None, "content_hash"),
    )

    corpus_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    name: Mapped[str]
    source: Mapped[str]
    origin: Mapped[str]
    content_hash: Mapped[str] = mapped_column(SafeText(exact=True))
    text_column: Mapped[str]
    metadata_columns: Mapped[dict[str, Any]]
    n_documents: Mapped[int]
    n_chars: Mapped[int]
    n_skipped: Mapped[int]
    size_bytes: Mapped[int]
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
