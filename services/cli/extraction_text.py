"""Extractions on the terminal: what was started, how it ended, what it would take."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from services.cli.jobs import progress_text
from services.cli.tasks import size
from services.cli.text import printable
from services.settings import read_settings
from services.types import ExtractionEstimate, ExtractionView

if TYPE_CHECKING:
    from services.container import Container


@contextmanager
def opened() -> Iterator[Container]:
    """A container of this command, which works on no job by itself."""
    from services.container import Container

    container = Container(read_settings())
    try:
        yield container
    finally:
        container.close()


def print_json(document: Any) -> None:
    """A document on standard output."""
    click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))


def print_started(views: Sequence[ExtractionView], *, detach: bool) -> None:
    """What was accepted."""
    for view in views:
        click.echo(f"{view.extraction_id} {view.status.value}", err=not detach)
    if detach:
        click.echo(f"job {views[0].job_id}: a server of this data folder works on it")


def print_ended(container: Container, views: Sequence[ExtractionView]) -> None:
    """Where the stores are, and what is in them."""
    for view in views:
        rows = [("extraction", view.extraction_id), ("status", view.status.value)]
        rows.append(("store", container.stores.url(view.extraction_id) if view.has_store else ""))
        _print_rows([*rows, *_counts(view)])


def print_next(views: Sequence[ExtractionView]) -> None:
    """Commands to try."""
    store = views[0].extraction_id
    click.echo(f"\nnext: actiscope store show {store}", err=True)
    click.echo(f"      actiscope store verify {store}", err=True)
    click.echo("      actiscope serve      (page Extractions)", err=True)


def print_extraction(view: ExtractionView, place: str) -> None:
    """All that is known of an extraction."""
    config = {name: value for name, value in view.config.items() if value is not None}
    rows: list[tuple[str, object]] = [
        ("extraction", view.extraction_id),
        ("status", view.status.value),
        ("reason", view.error_message and f"{view.error_code}: {view.error_message}"),
        ("progress", "" if view.status.is_final else progress_text(view)),
        ("SAE", f"{view.sae_id} at {view.hook_name}"),
        ("model", view.model_id),
        ("corpus", f"{view.corpus_name} ({view.corpus_id})"),
        ("store", place if view.has_store else None),
        *_counts(view),
        ("job", view.job_id),
        ("created", view.created_at.isoformat()),
        ("started", view.started_at and view.started_at.isoformat()),
        ("finished", view.finished_at and view.finished_at.isoformat()),
        ("options", json.dumps(config, ensure_ascii=False)),
    ]
    _print_rows(rows)


def print_estimate(estimate: ExtractionEstimate) -> None:
    """What it would take."""
    free = estimate.free_disk_bytes
    disk = f"{size(estimate.disk_bytes)}, {size(estimate.peak_disk_bytes)} while it merges"
    _print_rows(
        [
            ("tokens", f"{estimate.n_tokens:,} of {estimate.n_documents:,} documents"),
            ("time", None if estimate.seconds is None else f"{estimate.seconds:,.0f} s"),
            ("memory", f"{size(estimate.memory_bytes)} of {size(estimate.budget_bytes)}"),
            ("disk", disk + ("" if free is None else f"; {size(free)} are free")),
        ]
    )
    for note in estimate.notes:
        click.echo(f"  {printable(note, newline=' ')}")


def extraction_line(view: ExtractionView) -> tuple[object, ...]:
    """A line of the list."""
    l0 = "" if view.live.l0 is None else f"{view.live.l0:.1f}"
    return (
        f"{view.created_at.astimezone():%Y-%m-%d %H:%M:%S}",
        view.extraction_id,
        view.status.value,
        view.sae_id,
        view.corpus_name[:40],
        f"{view.live.n_tokens:,}",
        l0,
        "" if view.size_bytes is None else size(view.size_bytes),
    )


def _counts(view: ExtractionView) -> list[tuple[str, object]]:
    live = view.live
    if not live.n_tokens:
        return []
    rows: list[tuple[str, object]] = [
        ("tokens", f"{live.n_tokens:,} of {live.n_documents:,} documents"),
        ("activations", f"{live.nnz:,}"),
        ("L0", None if live.l0 is None else f"{live.l0:.2f}"),
    ]
    if live.n_dead is not None:
        rows.append(("dead", f"{live.n_dead:,} of {view.d_sae:,} ({live.n_dead / view.d_sae:.1%})"))
    if live.seconds and live.seconds[-1]:
        rows.append(("speed", f"{live.tokens_at[-1] / live.seconds[-1]:,.0f} tokens/s"))
    return [*rows, ("size", None if view.size_bytes is None else size(view.size_bytes))]


def _print_rows(rows: Sequence[tuple[str, object]]) -> None:
    for name, value in rows:
        if value not in (None, ""):
            click.echo(f"{name:<12}{printable(str(value), newline=' ')}")
