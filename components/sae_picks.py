"""SAEs to choose from, each a box with what is to be known of it before it is chosen."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import count_text
from components.entries import sae_href
from components.extractions import source_badge
from components.saes import card_badge
from services.types import EntryState, SaeCard


def pick_row(
    card: SaeCard, id: dict[str, Any], *, chosen: bool, disabled: bool, why: str | None
) -> html.Li:
    """One SAE; `why` says what keeps it from being chosen whatever else is."""
    info = card.info
    box = dmc.Checkbox(
        id=id, label=info.sae_id, checked=chosen, disabled=disabled, className="as-pick-box"
    )
    facts = [
        html.Span(info.model_id),
        html.Span(info.hook_name),
        html.Span(f"{count_text(info.d_sae)} features"),
        source_badge(card.source),
        card_badge(card),
        dcc.Link("Details", href=sae_href(info.sae_id), title=f"Details of {info.sae_id}"),
    ]
    reason = None if why is None else html.Div(why, className="as-small as-warn as-break")
    return html.Li([box, html.Div(facts, className="as-pick-facts"), reason])


def hindrance(card: SaeCard, has_model: bool) -> str | None:
    """What keeps the SAE from being used at all; None where nothing does."""
    if card.state is not EntryState.READY:
        return card.problem or f"It is {card.state.value}."
    if not has_model:
        return f"Its model {card.info.model_id} is not on this server."
    return None
