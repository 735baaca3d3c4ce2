"""Which SAE the table of features is of, and which extraction its evidence is from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from components.extractions import new_button
from pages.choose_sae import sae_select
from pages.context import services
from pages.features_filters import search_field
from pages.features_ids import Table, table_field
from pages.features_state import TableState
from services.extraction.requests import ExtractionQuery
from services.types import ExtractionView, SaeCard


def choices(
    state: TableState, cards: Sequence[SaeCard], views: Sequence[ExtractionView]
) -> list[Any]:
    """The SAE, where its evidence is from, the search field."""
    parts = [
        sae_select(Table.SAE, cards, state.sae),
        _store_choice(state, views),
        search_field(state),
    ]
    hint = None
    if not views and any(card.info.sae_id == state.sae for card in cards):
        hint = html.Div(
            [
                html.Span("This SAE has read no corpus yet: what is known is its decoder."),
                new_button("Start an extraction", sae=str(state.sae)),
            ],
            className="as-hint",
        )
    return [dmc.Group(parts, align="end", gap="sm", className="as-choose"), hint]


def readable(sae_id: str | None) -> tuple[ExtractionView, ...]:
    """The extractions of the SAE that can be read, newest first."""
    found = services().extractions.list(ExtractionQuery(sae_id=sae_id, limit=100))
    return tuple(view for view in found.items if view.has_store)


def _store_choice(state: TableState, views: Sequence[ExtractionView]) -> Any:
    data = [{"value": view.extraction_id, "label": _store_name(view)} for view in views]
    if state.store and state.store not in {view.extraction_id for view in views}:
        data.append({"value": state.store, "label": state.store})
    return dmc.Select(
        id=table_field("store"), label="Evidence from", data=data, value=state.store,
        clearable=True, placeholder="The newest extraction" if views else "No extraction yet",
        disabled=not data, clearButtonProps={"aria-label": "The newest extraction"},
        className="as-choose-store",
    )  # fmt: skip


def _store_name(view: ExtractionView) -> str:
    at = view.finished_at or view.started_at or view.created_at
    rest = "" if view.is_complete else ", not complete"
    return f"{view.corpus_name}, {view.live.n_tokens or 0:,} tokens, {at:%Y-%m-%d %H:%M}{rest}"
