"""One corpus: what it is, how long its documents are, what its metadata hold."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update, set_props

from components.corpora import (
    corpus_facts,
    corpus_problem,
    corpus_state,
    frequent_values,
    skipped_table,
    statistics_numbers,
)
from components.corpus_figures import length_histogram
from components.entries import listed
from components.feedback import empty_state, loading
from components.figures import graph
from components.icons import icon
from components.ids import Shell
from components.shell import page, section
from components.theme import Scheme
from pages.callbacks import CallbackSet
from pages.context import services
from pages.corpus_actions import corpus_buttons, corpus_dialog
from pages.corpus_documents import documents_section
from pages.corpus_ids import Corpus, CorpusAct, CorpusName
from pages.corpus_tokens import tokens_section
from services.errors import ActiscopeError
from services.types import CorpusInfo, CorpusStatistics

callbacks = CallbackSet()

PATH = "/corpus"  # its page also stands at /corpora with an id, which is where links lead
_HIDDEN = {"display": "none"}


def layout(**query: Any) -> html.Div:
    """The page of the corpus that the query string names."""
    name = CorpusName.parse(query).id
    body = [
        dcc.Store(id=Corpus.ID, data=name),
        *corpus_dialog(),
        html.Div(id=Corpus.ERROR),
        html.Div(loading() if name else _nothing(), id=Corpus.HEAD),
        dcc.Store(id=Corpus.KNOWN),
        dmc.Stack(_rest(query), id=Corpus.REST, style=_HIDDEN),
    ]
    return page(f"Corpus {name}" if name else "Corpus", body, actions=[_back()])


def _rest(query: Any) -> list[Any]:
    """What needs its files."""
    return [
        html.Div(id=Corpus.STATISTICS_ERROR),
        dmc.Stack(loading(), id=Corpus.STATISTICS),
        documents_section(query),
        tokens_section(query),
    ]


@callbacks.on(
    Output(Corpus.HEAD, "children"),
    Output(Corpus.REST, "style"),
    Output(Corpus.KNOWN, "data"),
    Input(Corpus.ID, "data"),
    Input(CorpusAct.CHANGED, "data"),
    State(Corpus.KNOWN, "data"),
    prevent_initial_call=False,
    errors_in=Corpus.ERROR,
)
def show(corpus_id: Any, changed: Any, known: Any) -> tuple[Any, Any, Any]:
    """What the corpus is; the rest follows once it is known. Without its files it is left."""
    name = CorpusName.parse({"id": corpus_id}).id
    if name is None:
        return _nothing(), _HIDDEN, no_update
    if isinstance(changed, str) and changed.startswith(f"remove {name} "):
        set_props(Shell.LOCATION, {"href": "/corpora"})
        return None, _HIDDEN, no_update
    try:
        head = _head(services().corpora.get(name))
    except ActiscopeError:
        set_props(Corpus.HEAD, {"children": None})  # the error says what is the matter
        raise
    return head, {}, no_update if known == name else name


def _back() -> dcc.Link:
    return dcc.Link("All corpora", href="/corpora")


def _nothing() -> html.Div:
    text = "Choose one from the list."
    return empty_state("No corpus named", text, _back(), icon_name="corpora")


def _head(info: CorpusInfo) -> Any:
    new = dcc.Link(
        [icon("features", 16), "Extract features over it"],
        href=listed("/extractions/new", corpus=info.corpus_id),
        className="as-button",
    )
    over = dcc.Link("Extractions over it", href=listed("/extractions", corpus=info.corpus_id))
    usable = info.deleted_at is None and info.problem is None
    links = dmc.Group([new, over] if usable else [over], gap="md", mt="md")
    parts = [corpus_state(info), corpus_problem(info), corpus_facts(info), links]
    body = [part for part in parts if part is not None]
    return section(info.name, body, actions=corpus_buttons(info))


@callbacks.on(
    Output(Corpus.STATISTICS, "children"),
    Input(Corpus.KNOWN, "data"),
    State(Shell.SCHEME, "computedColorScheme"),
    errors_in=Corpus.STATISTICS_ERROR,
)
def show_statistics(corpus_id: Any, scheme: Any) -> Any:
    """Lengths, metadata and what was left out."""
    name = CorpusName.parse({"id": corpus_id}).id
    if name is None:
        return None
    try:
        corpora = services().corpora
        found, n_skipped = corpora.statistics(name), corpora.get(name).n_skipped
    except ActiscopeError:
        set_props(Corpus.STATISTICS, {"children": None})
        raise
    return _statistics(found, n_skipped, "dark" if scheme == "dark" else "light")


def _statistics(stats: CorpusStatistics, n_skipped: int, scheme: Scheme) -> list[Any]:
    figure = length_histogram(stats, scheme)
    label = "Documents by their length in characters"
    drawn = None if figure is None else graph(Corpus.LENGTHS, figure, label=label)
    lengths = section("Length of documents, in characters", [statistics_numbers(stats), drawn])
    return [lengths, _metadata(stats), _skipped(stats, n_skipped)]


def _metadata(stats: CorpusStatistics) -> Any:
    if not stats.metadata:
        return None
    panels = [
        section(f"Metadata: {column}", frequent_values(column, values, stats.n_documents))
        for column, values in stats.metadata.items()
    ]
    return html.Div(panels, className="as-columns")


def _skipped(stats: CorpusStatistics, n_skipped: int) -> Any:
    if not stats.skipped:
        return None
    is_part = n_skipped > len(stats.skipped)
    note = f"The first {len(stats.skipped):,} of {n_skipped:,}." if is_part else None
    return section("Lines that were skipped", skipped_table(stats.skipped), note=note)
