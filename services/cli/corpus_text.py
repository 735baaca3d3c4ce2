"""Corpora as text for terminals."""

from __future__ import annotations

import json

import click

from services.cli.tasks import size
from services.cli.text import printable, table
from services.types import CorpusInfo, CorpusStatistics, SourcePreview


def print_corpus(info: CorpusInfo, statistics: CorpusStatistics) -> None:
    """All that is known of a corpus, and what was skipped."""
    rows = [
        ("corpus", info.corpus_id),
        ("name", info.name),
        ("source", info.source.value),
        ("origin", info.origin),
        ("content", f"sha256 {info.content_hash}"),
        ("text column", info.text_column),
        ("metadata", ", ".join(f"{n} ({kind})" for n, kind in info.metadata.items()) or "none"),
        ("documents", f"{info.n_documents:,}, {statistics.n_empty:,} of them empty"),
        ("characters", f"{info.n_chars:,}"),
        ("lengths", f"{statistics.shortest:,} to {statistics.longest:,}, median "
                    f"{statistics.median:,.0f}"),
        ("size", size(info.size_bytes)),
        ("created", info.created_at.isoformat()),
        ("deleted", info.deleted_at and info.deleted_at.isoformat()),
        ("skipped", f"{info.n_skipped:,}"),
    ]  # fmt: skip
    click.echo(table(("", ""), [row for row in rows if row[1]]).lstrip("\n"))
    for line in statistics.skipped:
        place = line.file if line.line is None else f"{line.file}:{line.line}"
        click.echo(f"skipped {printable(place)}: {printable(line.reason, newline=' ')}")


def corpus_line(info: CorpusInfo) -> tuple[object, ...]:
    """A corpus in the list."""
    state = "deleted" if info.deleted_at else info.problem or "ready"
    return (
        info.corpus_id,
        info.name[:40],
        f"{info.n_documents:,}",
        f"{info.n_chars:,}",
        size(info.size_bytes),
        info.source.value,
        state,
    )


def print_source(preview: SourcePreview) -> None:
    """The columns and the first rows of a source."""
    size_text = "" if preview.size_bytes is None else f", {size(preview.size_bytes)}"
    click.echo(f"{printable(preview.file)}: {preview.format}{size_text}")
    rows = [(name, kind, "text?" * (name == preview.suggested_text))
            for name, kind in preview.columns.items()]  # fmt: skip
    click.echo(table(("COLUMN", "TYPE", ""), rows))
    for row in preview.rows[:3]:
        click.echo(printable(json.dumps(row, ensure_ascii=False))[:500])
