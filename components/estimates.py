"""What an extraction will take, before it is started."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import html

from components.amounts import UNKNOWN, bytes_text, count_text, number_text, seconds_text
from components.icons import icon
from components.tables import Column, table
from services.types import ExtractionEstimate

_COLUMNS = (Column("SAE"), Column("L0 assumed", number=True), Column("Disk", number=True))


def estimate_panel(estimate: ExtractionEstimate) -> html.Div:
    """Tokens, time, memory against the budget, disk against what is free; and what it rests on."""
    memory, budget = estimate.memory_bytes, estimate.budget_bytes
    peak, free = estimate.peak_disk_bytes, estimate.free_disk_bytes
    parts = [
        _numbers(estimate),
        meter("Memory", memory, budget, f"of {bytes_text(budget)} for models and SAEs"),
        meter("Disk while it merges", peak, free, f"of {bytes_text(free)} free"),
        _notes(estimate.notes),
        _per_sae(estimate) if len(estimate.per_sae) > 1 else None,
    ]
    return html.Div([part for part in parts if part is not None], className="as-estimate")


def _numbers(estimate: ExtractionEstimate) -> html.Dl:
    seconds = estimate.seconds
    numbers = [
        ("Tokens, about", count_text(estimate.n_tokens)),
        ("Documents", count_text(estimate.n_documents)),
        ("Time, about", UNKNOWN if seconds is None else seconds_text(seconds)),
        ("Disk at the end", bytes_text(estimate.disk_bytes)),
    ]
    return html.Dl(
        [html.Div([html.Dt(term), html.Dd(value)]) for term, value in numbers],
        className="as-numbers",
    )


def meter(label: str, used: int, limit: int | None, of: str) -> html.Div:
    """An amount against its limit, in words and as a bar; says so where it does not fit."""
    fits = limit is None or used <= limit
    warning = html.Span([icon("warning", 14), "does not fit"], className="as-status as-bad")
    text = f"{bytes_text(used)} {of}" if limit is not None else bytes_text(used)
    line = [
        html.Span(label, className="as-muted"),
        html.Span(text, className="as-num"),
        None if fits else warning,
    ]
    share = 100 * used / limit if limit else (0 if fits else 100)
    bar = dmc.Progress(
        value=min(100, share), size="xs", color="accent" if fits else "red",
        **{"aria-label": f"{label}: share of what there is"},
    )  # fmt: skip
    return html.Div([html.Div(line, className="as-progress-line"), bar], className="as-memory")


def _notes(notes: tuple[str, ...]) -> Any:
    if not notes:
        return None
    items = [html.Li(note, className="as-break") for note in notes]
    return html.Ul(items, className="as-plain-list as-small as-muted")


def _per_sae(estimate: ExtractionEstimate) -> html.Div:
    rows = [
        [
            html.Span(sae_id, className="as-break"),
            number_text(figures.get("l0")),
            bytes_text(figures.get("disk_bytes")),
        ]
        for sae_id, figures in estimate.per_sae.items()
    ]
    return table("Per SAE", _COLUMNS, rows)
