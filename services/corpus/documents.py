"""Corpora as JSON values, for REST and the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from services.types import (
    CorpusInfo,
    CorpusPreview,
    CorpusStatistics,
    PackingPreview,
    SourcePreview,
)


def corpus_document(info: CorpusInfo) -> dict[str, Any]:
    """A corpus."""
    deleted_at = info.deleted_at
    return asdict(info) | {
        "created_at": info.created_at.isoformat(),
        "deleted_at": None if deleted_at is None else deleted_at.isoformat(),
    }


def preview_document(preview: CorpusPreview) -> dict[str, Any]:
    """Some documents of a corpus."""
    return asdict(preview)


def source_document(preview: SourcePreview) -> dict[str, Any]:
    """What is in a source."""
    return asdict(preview)


def statistics_document(statistics: CorpusStatistics) -> dict[str, Any]:
    """Lengths, frequent values, and what was skipped."""
    frequent = {
        name: [{"value": value, "n": n} for value, n in values]
        for name, values in statistics.metadata.items()
    }
    return asdict(statistics) | {"metadata": frequent}


def packing_document(preview: PackingPreview) -> dict[str, Any]:
    """The first windows of a corpus."""
    return asdict(preview)
