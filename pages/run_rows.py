"""The lines of the list of runs: what a run was, its notes, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.icons import icon
from components.runs import duration_text, run_href, status_badge, time_element
from pages.ids import ask_delete, notes_of, notes_state
from services.types import RunSummary


def run_rows(items: Sequence[RunSummary]) -> list[html.Li]:
    """One line per run."""
    return [html.Li(_row(item), key=item.request_id) for item in items]


def _row(item: RunSummary) -> dmc.Paper:
    link = dcc.Link(
        item.prompt_preview or "(empty prompt)", href=run_href(item.request_id),
        className="as-mono as-recent-prompt",
    )  # fmt: skip
    head = dmc.Group([link, _actions(item)], justify="space-between", wrap="nowrap", gap="sm")
    return dmc.Paper([head, _facts(item), _notes(item)], p="sm")


def _actions(item: RunSummary) -> Any:
    name = f"Duplicate run {item.request_id} into the form"
    duplicate = dcc.Link(
        [icon("copy", 16), dmc.VisuallyHidden(name)],
        href=f"/?from={item.request_id}",
        title="Duplicate into the form",
    )
    delete = dmc.ActionIcon(
        icon("trash", 16), id=ask_delete(item.request_id), color="gray",
        **{"aria-label": f"Delete run {item.request_id}"},
    )  # fmt: skip
    return dmc.Group([duplicate, delete], gap="xs", wrap="nowrap")


def _facts(item: RunSummary) -> Any:
    features = f"{item.unique_features_count:,} features" if item.sae_enabled else "text only"
    words = [
        item.model_id,
        ", ".join(item.sae_ids) or "no SAE",
        f"{item.prompt_tokens:,} + {item.output_tokens:,} tokens",
        features,
        duration_text(item.duration_ms),
    ]
    texts = [dmc.Text(word, size="sm", className="as-muted as-num") for word in words]
    return dmc.Group(
        [status_badge(item.status), time_element(item.created_at), *texts], gap="sm", my=6
    )


def _notes(item: RunSummary) -> Any:
    notes = dmc.TextInput(
        id=notes_of(item.request_id), value=item.notes, placeholder="Notes", debounce=600,
        size="sm", style={"flex": 1}, **{"aria-label": f"Notes of run {item.request_id}"},
    )  # fmt: skip
    state = html.Div(id=notes_state(item.request_id), className="as-muted", role="status")
    return dmc.Group([notes, state], gap="sm")
