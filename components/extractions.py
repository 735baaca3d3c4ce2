"""Extractions as the user meets them: a card of the list, the head of a page, what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import dash_mantine_components as dmc
from dash import dcc, html

from components.amounts import bytes_text, count_text, number_text, seconds_text, share_text
from components.corpora import corpus_href
from components.entries import SOURCES, model_href, sae_href
from components.feedback import copyable, empty_state, error_alert
from components.icons import icon
from components.jobs import amount_text, job_href, left_text, rate_text, status_badge
from components.runs import time_element
from services.types import ExtractionView, Source

NEW = "/extractions/new"

_SOURCE_ICONS = {
    Source.TRAINED: "gauge",
    Source.HUGGINGFACE: "download",
    Source.CATALOGUE: "search",
    Source.LOCAL: "folder",
}


def extraction_href(extraction_id: str, **more: str) -> str:
    """Where an extraction is shown."""
    return f"/extraction?{urlencode({'id': extraction_id, **more}, quote_via=quote)}"


def new_href(**chosen: str) -> str:
    """Where an extraction is started, with the SAE and the corpus chosen."""
    return f"{NEW}?{urlencode(chosen, quote_via=quote)}" if chosen else NEW


def new_button(text: str = "Start a new extraction", **chosen: str) -> Any:
    """The way to the page that starts extractions."""
    return dcc.Link([icon("plus", 16), text], href=new_href(**chosen), className="as-button")


def source_badge(source: Source | None) -> html.Span:
    """Where the SAE came from, by word and icon."""
    if source is None:
        return html.Span([icon("trash", 14), "No longer registered"], className="as-source")
    return html.Span([icon(_SOURCE_ICONS[source], 14), SOURCES[source]], className="as-source")


def extraction_card(view: ExtractionView, source: Source | None, actions: Sequence[Any]) -> Any:
    """One extraction of the list, with what can be done with it."""
    href = extraction_href(view.extraction_id)
    name = html.H2(dcc.Link(view.sae_id, href=href), className="as-card-title as-break")
    facts = [
        ("Corpus", dcc.Link(view.corpus_name, href=corpus_href(view.corpus_id))),
        ("Model", dcc.Link(view.model_id, href=model_href(view.model_id))),
        ("Hook point", view.hook_name),
        ("Tokens", count_text(view.live.n_tokens)),
        ("L0", number_text(view.live.l0)),
        ("Dead", dead_text(view)),
        ("Size", bytes_text(view.size_bytes)),
        ("Started", time_element(view.started_at or view.created_at)),
    ]
    parts = [
        html.Div([name, source_badge(source)], className="as-card-top"),
        progress_line(view),
        problem(view),
        _terms(facts, "as-facts as-facts-card"),
        dmc.Group(list(actions), gap="xs"),
    ]
    return dmc.Paper([part for part in parts if part is not None], className="as-section as-model")


def progress_line(view: ExtractionView) -> html.Div:
    """Where it stands, in one line; with a bar until it is final."""
    if view.status.is_final:
        return html.Div(status_badge(view.status), className="as-progress-line")
    texts = (amount_text(view), rate_text(view), left_text(view))
    line = [
        status_badge(view.status),
        html.Span(view.phase.capitalize(), className="as-phase"),
        *(html.Span(text, className="as-num as-muted") for text in texts if text),
    ]
    share = 100 * min(1.0, view.done / view.total) if view.total else 0
    bar = dmc.Progress(
        value=share, size="sm", transitionDuration=200, **{"aria-label": f"{view.sae_id}: done"}
    )
    return html.Div([html.Div(line, className="as-progress-line"), bar], className="as-progress")


def problem(view: ExtractionView) -> Any:
    """Why it failed; nothing where it did not."""
    if view.error_message is None:
        return None
    return error_alert(view.error_code or "INTERNAL", view.error_message)


def dead_text(view: ExtractionView) -> str:
    """The share of features that never fired, of those that there are."""
    if view.live.n_dead is None or view.d_sae < 1:
        return share_text(None)
    return share_text(view.live.n_dead / view.d_sae)


def extraction_line(view: ExtractionView, source: Source | None) -> html.Div:
    """What is read with what, in one line."""
    parts = [
        source_badge(source),
        dcc.Link(view.model_id, href=model_href(view.model_id)),
        html.Span(view.hook_name, className="as-break"),
        html.Span(f"{view.d_sae:,} features"),
    ]
    return html.Div(parts, className="as-offer-facts as-extraction-line")


def extraction_facts(view: ExtractionView, source: Source | None, place: str) -> html.Dl:
    """What is read with what, where it is kept, and when."""
    job = "–" if view.job_id is None else dcc.Link("Log of its job", href=job_href(view.job_id))
    facts = [
        ("SAE", dcc.Link(view.sae_id, href=sae_href(view.sae_id))),
        ("Source", source_badge(source)),
        ("Corpus", dcc.Link(view.corpus_name, href=corpus_href(view.corpus_id))),
        ("Model", dcc.Link(view.model_id, href=model_href(view.model_id))),
        ("Hook point", view.hook_name),
        ("Width", f"{view.d_sae:,} features"),
        ("Job", job),
        ("Created", time_element(view.created_at)),
        ("Started", "–" if view.started_at is None else time_element(view.started_at)),
        ("Ended", "–" if view.finished_at is None else time_element(view.finished_at)),
    ]
    names = [
        ("Extraction and store", copyable(view.extraction_id, label="extraction id")),
        ("Lies at", copyable(place, label="place of the store")),
    ]
    wide = [html.Div([html.Dt(t), html.Dd(value)], className="as-wide") for t, value in names]
    return html.Dl([*_terms(facts, "as-facts").children, *wide], className="as-facts")


def summary_numbers(view: ExtractionView) -> html.Dl:
    """What was read and what came out, as far as it is done."""
    live = view.live
    seconds = live.seconds[-1] if live.seconds else None
    rate = live.tokens_at[-1] / seconds if seconds and live.tokens_at else None
    numbers = [
        ("Tokens", count_text(live.n_tokens)),
        ("Documents", count_text(live.n_documents)),
        ("Activations", count_text(live.nnz)),
        ("L0", number_text(live.l0)),
        ("Dead features", count_text(live.n_dead)),
        ("Dead share", dead_text(view)),
        ("Largest activation", number_text(live.max_activation)),
        ("Size", bytes_text(view.size_bytes)),
        ("Time", "–" if seconds is None else seconds_text(seconds)),
        ("Speed", "–" if rate is None else f"{rate:,.0f}/s"),
    ]
    return _terms(numbers, "as-numbers as-numbers-ten")


def siblings_list(views: Sequence[ExtractionView]) -> html.Ul:
    """Extractions of the same job: they share its forward passes."""
    items = [
        html.Li(
            [
                dcc.Link(one.sae_id, href=extraction_href(one.extraction_id)),
                html.Span(f"L0 {number_text(one.live.l0)}", className="as-muted as-small"),
                status_badge(one.status),
            ]
        )
        for one in views
    ]
    return html.Ul(items, className="as-sae-links")


def config_list(config: Mapping[str, Any]) -> html.Dl:
    """The options as they were resolved, one by one."""
    pairs = [(_words(name), _plain(value)) for name, value in _flat(config)]
    return _terms(pairs, "as-facts")


def empty_extractions(is_filtered: bool) -> dmc.Paper:
    """What stands in the place of a list without extractions."""
    if is_filtered:
        nothing = empty_state("No extraction passes these filters", "Clear one of them.",
                              icon_name="search")  # fmt: skip
        return dmc.Paper(nothing)
    text = "Choose SAEs and a corpus: every activation is kept, and can be looked at as it comes."
    return dmc.Paper(empty_state("No extractions yet", text, new_button(), icon_name="extractions"))


def _flat(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        is_nested = isinstance(value, Mapping) and name != "metadata"  # that is columns and types
        rows += _flat(value) if is_nested else [(str(name), value)]
    return rows


def _words(name: str) -> str:
    text = name.replace("_", " ").replace("bos", "BOS").replace("sae", "SAE")
    return text[:1].upper() + text[1:]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple | Mapping):
        return ", ".join(map(str, value)) or "none"
    return "–" if value is None else str(value)


def _terms(facts: Sequence[tuple[str, Any]], kind: str) -> html.Dl:
    return html.Dl(
        [html.Div([html.Dt(term), html.Dd(value)]) for term, value in facts], className=kind
    )
