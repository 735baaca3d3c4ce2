"""SAEs of the registry: one line in a list, all facts on a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import bytes_text, count_text, number_text, runs_text, share_text
from components.entries import (
    SOURCES,
    model_href,
    outward,
    problem_text,
    repository,
    revision,
    sae_href,
    state_badge,
)
from components.feedback import empty_state
from components.runs import time_element
from components.tables import Column, table
from components.verdicts import verdict_badge
from services.types import EntryState, SaeCard, SaeInfo, Verdict

_COLUMNS = (
    Column("SAE"),
    Column("Verdict"),
    Column("Model"),
    Column("Hook point"),
    Column("Width", number=True),
    Column("L0", number=True),
    Column("Variance explained", number=True),
    Column("Source"),
    Column("Runs", number=True),
)


def sae_table(cards: Sequence[SaeCard]) -> html.Div:
    """One row per SAE; on a narrow screen one card."""
    return table("SAEs", _COLUMNS, [_row(card) for card in cards], fold=True)


def _row(card: SaeCard) -> list[Any]:
    info = card.info
    measured = card.preflight.metrics if card.preflight else {}
    return [
        _name(card),
        card_badge(card),
        html.Span(info.model_id, className="as-break"),
        html.Span([info.hook_name, _small(f"layer {info.layer}")], className="as-break"),
        html.Span([count_text(info.d_sae), _small(info.architecture)]),
        number_text(measured.get("l0")),
        share_text(measured.get("explained_variance")),
        SOURCES[card.source],
        runs_text(card.runs),
    ]


def card_badge(card: SaeCard) -> html.Span:
    """The verdict of a usable SAE, the state of any other."""
    if card.state is not EntryState.READY:
        return state_badge(card.state)
    if card.preflight is None:
        return verdict_badge(None)
    return verdict_badge(card.preflight.verdict, stale=card.is_stale)


def _name(card: SaeCard) -> html.Span:
    link = dcc.Link(card.info.sae_id, href=sae_href(card.info.sae_id), className="as-break")
    return html.Span([link, problem_text(card)])


def _small(text: str) -> html.Span:
    return html.Span(text, className="as-muted as-small as-block")


def sae_facts(card: SaeCard, endpoint: str) -> html.Dl:
    """All that is known about an SAE, as a list of terms."""
    info = card.info
    facts = [
        ("State", state_badge(card.state, is_resident=card.is_resident)),
        ("Model", dcc.Link(info.model_id, href=model_href(info.model_id))),
        ("Trained on", info.trained_on or "–"),
        ("Hook point", info.hook_name),
        ("Layer", str(info.layer)),
        ("Architecture", info.architecture),
        ("Width", f"{info.d_in:,} → {info.d_sae:,}"),
        ("Format", card.format),
        ("Size", bytes_text(card.size_bytes)),
        ("Source", SOURCES[card.source]),
        ("Repository", repository(card, endpoint) or "–"),
        ("Path in it", card.repo_path or "–"),
        ("Commit", revision(card.repo_revision)),
        ("Release", card.release or "–"),
        ("Neuronpedia", neuronpedia(info) or "not known to be there"),
        ("Weights", revision(info.revision)),
        ("Folder", card.path),
        ("Added", time_element(card.added_at)),
    ]
    return html.Dl(
        [html.Div([html.Dt(term), html.Dd(value)]) for term, value in facts], className="as-facts"
    )


def neuronpedia(info: SaeInfo | None, feature_id: int | None = None) -> html.A | None:
    """The SAE's page on Neuronpedia, or a feature's; None where it is not known to be there."""
    url = info.neuronpedia_url(feature_id) if info else None
    if url is None:
        return None
    label = "Open on Neuronpedia" if feature_id is None else f"Feature {feature_id} on Neuronpedia"
    return outward(label, url)


def sae_links(saes: Sequence[SaeInfo]) -> html.Ul:
    """SAEs by name with their verdicts, each a link to its page."""
    items = [
        html.Li([dcc.Link(sae.sae_id, href=sae_href(sae.sae_id)),
                 html.Span(f"layer {sae.layer}", className="as-muted as-small"),
                 verdict_badge(sae.verdict)])
        for sae in saes
    ]  # fmt: skip
    return html.Ul(items, className="as-sae-links")


def sae_label(sae: SaeInfo) -> str:
    """An SAE in a choice: its name, where it sits and what its verdict is."""
    mark = {Verdict.GOOD: "good", None: "not measured"}.get(sae.verdict, f"⚠ {sae.verdict}")
    return f"{sae.sae_id} · layer {sae.layer} · {mark}"


def empty_saes(is_filtered: bool, action: Any) -> dmc.Paper:
    """What stands in the place of a list without SAEs."""
    if is_filtered:
        return dmc.Paper(empty_state("No SAE passes these filters", "Clear one of them."))
    return dmc.Paper(
        empty_state(
            "No SAEs yet", "Add one from the catalogue, a repository or a folder.", action,
            icon_name="saes",
        )
    )  # fmt: skip
