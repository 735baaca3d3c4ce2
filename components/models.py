"""Models of the registry as cards: what they are, what they take, which SAEs fit them."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import bytes_text, count_text, runs_text, short_count
from components.entries import (
    SOURCES,
    listed,
    model_href,
    problem_text,
    repository,
    revision,
    state_badge,
)
from components.icons import icon
from components.runs import time_element
from components.saes import sae_links
from services.types import ModelCard

_SHOWN_SAES = 6


def model_card(card: ModelCard, actions: Any) -> dmc.Paper:
    """One model of the list, with what can be done with it."""
    info = card.info
    name = html.H2(
        dcc.Link(info.model_id, href=model_href(info.model_id)), className="as-card-title as-break"
    )
    head = html.Div([name, state_badge(card.state, is_resident=card.is_resident)],
                    className="as-card-top")  # fmt: skip
    facts = [
        ("Family", info.family or "–"),
        ("Parameters", short_count(info.n_params)),
        ("Layers", count_text(info.n_layers)),
        ("d_model", count_text(info.d_model)),
        ("Context", count_text(info.n_ctx)),
        ("Vocabulary", count_text(info.n_vocab)),
        ("Stored as", info.dtype or "–"),
        ("Size", bytes_text(info.size_bytes)),
        ("Chat template", "yes" if info.has_chat_template else "no"),
    ]
    is_known = info.n_layers > 0  # a folder that cannot be read may tell nothing at all
    return dmc.Paper(
        [
            head,
            problem_text(card),
            _terms(facts, "as-facts as-facts-tight") if is_known else None,
            memory_line(card) if is_known else None,
            _fitting(card) if is_known else None,
            dmc.Group(actions, gap="xs"),
        ],
        className="as-section as-model",
    )


def memory_line(card: ModelCard) -> html.Div:
    """What loading takes of the memory that there is, in words and as a bar."""
    share = 100 * card.memory_bytes / card.budget_bytes if card.budget_bytes else 100
    text = f"needs about {bytes_text(card.memory_bytes)} of {bytes_text(card.budget_bytes)}"
    warning = html.Span([icon("warning", 14), "does not fit"], className="as-status as-bad")
    return html.Div(
        [
            html.Div(
                [html.Span("Memory", className="as-muted"), html.Span(text, className="as-num"),
                 None if card.fits else warning],
                className="as-progress-line",
            ),
            dmc.Progress(
                value=min(100, share), size="xs", color="accent" if card.fits else "red",
                **{"aria-label": f"Share of the memory that {card.info.model_id} needs"},
            ),
        ],
        className="as-memory",
    )  # fmt: skip


def _fitting(card: ModelCard) -> html.Div:
    saes = card.info.saes
    if not saes:
        return html.Div("No SAE for it yet.", className="as-muted as-small")
    more = len(saes) - _SHOWN_SAES
    return html.Div(
        [
            html.H3("SAEs that fit", className="as-small as-muted"),
            sae_links(saes[:_SHOWN_SAES]),
            dcc.Link(f"{more:,} more", href=listed("/saes", model=card.info.model_id))
            if more > 0
            else None,
        ]
    )


def model_facts(card: ModelCard, endpoint: str) -> html.Dl:
    """All that is known about a model, as a list of terms."""
    info = card.info
    facts = [
        ("State", state_badge(card.state, is_resident=card.is_resident)),
        ("Family", info.family or "–"),
        ("Parameters", count_text(info.n_params)),
        ("Layers", count_text(info.n_layers)),
        ("d_model", count_text(info.d_model)),
        ("Context", f"{info.n_ctx:,} tokens"),
        ("Vocabulary", f"{info.n_vocab:,} tokens"),
        ("Stored as", info.dtype or "–"),
        ("Size", bytes_text(info.size_bytes)),
        ("Chat template", "yes" if info.has_chat_template else "no"),
        ("Source", SOURCES[card.source]),
        ("Repository", repository(card, endpoint) or "–"),
        ("Commit", revision(card.repo_revision)),
        ("Weights", revision(info.revision)),
        ("Folder", card.path),
        ("Runs", dcc.Link(runs_text(card.runs), href=listed("/runs", model=info.model_id))),
        ("Added", time_element(card.added_at)),
    ]
    return _terms(facts, "as-facts")


def _terms(facts: list[tuple[str, Any]], kind: str) -> html.Dl:
    return html.Dl(
        [html.Div([html.Dt(term), html.Dd(value)]) for term, value in facts], className=kind
    )
