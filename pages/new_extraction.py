"""The one place where extractions are started: any SAEs of one model over any corpus."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, set_props
from dash.exceptions import PreventUpdate

from components.amounts import count_text
from components.corpora import corpus_href
from components.estimates import estimate_panel
from components.extractions import extraction_href
from components.feedback import empty_state, loading
from components.icons import icon
from components.ids import Shell
from components.shell import page, section
from pages import clientside_extractions as browser
from pages.callbacks import CallbackSet
from pages.context import services
from pages.extraction_form import corpus_choice, option_fields, request_of
from pages.extraction_ids import New, new_option
from pages.extraction_state import Prefilled
from pages.pick_saes import picker, prefilled
from services.corpus.requests import CorpusQuery
from services.errors import ActiscopeError
from services.types import CorpusInfo

callbacks = CallbackSet()

PATH = "/extractions/new"
_CHOOSE = "Choose at least one SAE and a corpus."


def layout(**query: Any) -> html.Div:
    """The page, with what its query string has chosen."""
    asked = Prefilled.parse(query)
    body = [
        *(dcc.Store(id=i) for i in (New.SINK, New.OPTIONS, New.SUBMISSION)),
        dcc.Store(id=New.CHOSEN, data=prefilled(asked.sae or ())),
        html.Div([_choices(asked), _summary()], className="as-two"),
    ]
    intro = "A model reads a corpus once; every activation of the chosen SAEs is kept."
    back = dcc.Link("All extractions", href="/extractions")
    return page("New extraction", body, actions=[back], intro=intro)


def _choices(asked: Prefilled) -> dmc.Stack:
    corpora = _corpora()
    add = dcc.Link("Add a corpus", href="/corpora/add")
    corpus = [corpus_choice(corpora, asked.corpus), html.Div(id=New.CORPUS_FACTS)]
    options = html.Details(
        [html.Summary("Options"), option_fields()], className="as-options as-details"
    )
    return dmc.Stack(
        [
            section("SAEs", picker()),
            section("Corpus", dmc.Stack(corpus, gap="xs"), actions=add),
            dmc.Paper(options, className="as-section"),
        ]
    )


def _summary() -> html.Div:
    start = dmc.Button(
        "Start", id=New.START, leftSection=icon("play", 16), disabled=True, fullWidth=True
    )
    parts = [
        html.Div(id=New.ESTIMATE_ERROR),
        html.Div(loading(), id=New.ESTIMATE),
        html.Div(id=New.START_ERROR),
        start,
    ]
    return html.Div(section("Estimate", dmc.Stack(parts, gap="sm")), className="as-aside")


def _corpora() -> tuple[CorpusInfo, ...]:
    """Every corpus; none while they cannot be read: the estimate says why."""
    try:
        return services().corpora.list(CorpusQuery())
    except ActiscopeError:
        return ()


@callbacks.on(
    Output(New.CORPUS_FACTS, "children"),
    Output(new_option("metadata"), "data"),
    Output(new_option("metadata"), "value"),
    Input(new_option("corpus"), "value"),
    prevent_initial_call=False,
)
def describe(corpus_id: Any) -> tuple[Any, list[str], list[str]]:
    """The chosen corpus, and the metadata that it has."""
    corpus = next((one for one in _corpora() if one.corpus_id == corpus_id), None)
    if corpus is None:
        text = "Add one first: from files, a folder or a dataset."
        return empty_state("No corpus", text, icon_name="corpora"), [], []
    size = f"{count_text(corpus.n_documents)} documents, {count_text(corpus.n_chars)} characters"
    link = dcc.Link("Look into it", href=corpus_href(corpus.corpus_id))
    columns = [*corpus.metadata]
    shown = [html.Span(size), html.Span(corpus.origin), link]
    return html.Div(shown, className="as-offer-facts"), columns, columns


@callbacks.on(
    Output(New.ESTIMATE, "children"),
    Output(New.START, "disabled"),
    Input(New.CHOSEN, "data"),
    Input(New.OPTIONS, "data"),
    running=[(Output(New.ESTIMATE, "className"), "as-busy", "")],
    prevent_initial_call=False,
    errors_in=New.ESTIMATE_ERROR,
)
def estimate(chosen: Any, options: Any) -> tuple[Any, bool]:
    """What the extraction would take."""
    try:
        request = request_of(chosen, options)
        if request is None:
            return dmc.Text(_CHOOSE, className="as-muted"), True
        return estimate_panel(services().extractions.estimate(request)), False
    except ActiscopeError:  # the error says what is the matter; nothing old stands beside it
        set_props(New.ESTIMATE, {"children": None})
        set_props(New.START, {"disabled": True})
        raise


@callbacks.on(
    Output(Shell.LOCATION, "href", allow_duplicate=True),
    Input(New.SUBMISSION, "data"),
    running=[(Output(New.START, "loading"), True, False)],
    errors_in=New.START_ERROR,
)
def start(submission: Any) -> str:
    """Start it and go where it is followed."""
    given = submission if isinstance(submission, dict) else {}
    request = request_of(given.get("chosen"), given.get("options"), given.get("key"))
    if request is None:
        raise PreventUpdate
    made = services().extractions.start(request)
    if len(made) == 1 or made[0].job_id is None:
        return extraction_href(made[0].extraction_id)
    return f"/extractions?job={made[0].job_id}"


callbacks.clientside(
    browser.OPTIONS,
    Output(New.OPTIONS, "data"),
    Input(new_option(), "value"),
    Input(new_option(), "checked"),
    State(New.OPTIONS, "data"),
    prevent_initial_call=False,
)
callbacks.clientside(
    browser.SUBMIT,
    Output(New.SUBMISSION, "data"),
    Input(New.START, "n_clicks"),
    State(New.CHOSEN, "data"),
    State(New.OPTIONS, "data"),
    State(New.SUBMISSION, "data"),
)
callbacks.clientside(
    browser.MIRROR_CHOICE,
    Output(New.SINK, "data"),
    Input(New.CHOSEN, "data"),
    Input(New.OPTIONS, "data"),
)
