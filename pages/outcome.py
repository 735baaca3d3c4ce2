"""What came of a task: the SAEs that it added with their verdicts, and where to go next."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.entries import model_href, playground_href, sae_href
from components.icons import icon
from components.saes import card_badge
from components.verdicts import findings_list, verdict_summary
from pages.context import services
from services.errors import NotFound
from services.types import EntryState, SaeCard, TaskView

_IN_FULL = 3  # more than these are listed by their badges alone


def outcome(task: TaskView) -> Any:
    """What the final task has made, as links with verdicts."""
    if task.kind in ("add_model", "load_model"):
        return _links(task.results)
    if task.kind not in ("add_saes", "preflight"):
        return None
    cards = [card for sae_id in task.results if (card := _card(sae_id)) is not None]
    if len(cards) > _IN_FULL:
        return html.Ul([html.Li(_short(card)) for card in cards], className="as-sae-links")
    return dmc.Stack([_full(card) for card in cards], gap="lg", mt="md")


def _card(sae_id: str) -> SaeCard | None:
    try:
        return services().registry.sae(sae_id)
    except NotFound:  # deleted since, with its files
        return None


def _links(model_ids: tuple[str, ...]) -> Any:
    links = [dcc.Link(f"Open {id}", href=model_href(id)) for id in model_ids]
    return dmc.Group(links, gap="md") if links else None


def _short(card: SaeCard) -> list[Any]:
    sae_id = card.info.sae_id
    return [dcc.Link(sae_id, href=sae_href(sae_id), className="as-break"), card_badge(card)]


def _full(card: SaeCard) -> html.Div:
    info = card.info
    name = html.H3(dcc.Link(info.sae_id, href=sae_href(info.sae_id)), className="as-card-title")
    links = [dcc.Link("All measurements", href=sae_href(info.sae_id))]
    if card.state is EntryState.READY and any(
        model.model_id == info.model_id for model in services().models
    ):
        links.insert(0, play_button(card))
    report = card.preflight
    return html.Div(
        [
            name,
            verdict_summary(report, stale=card.is_stale),
            findings_list(report.findings) if report else None,
            dmc.Group(links, gap="md", mt="sm"),
        ],
        className="as-outcome",
    )


def play_button(card: SaeCard) -> Any:
    """The way from an SAE to a run with it."""
    href = playground_href(card.info.sae_id, card.info.model_id)
    return dcc.Link([icon("play", 16), "Open in playground"], href=href, className="as-button")
