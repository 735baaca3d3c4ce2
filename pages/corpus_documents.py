"""The documents of a corpus, some at a time."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from components.corpora import document_list
from components.feedback import empty_state, loading
from components.shell import section
from pages import clientside_jobs
from pages.callbacks import CallbackSet
from pages.context import services
from pages.corpus_ids import Corpus, CorpusName, DocumentsAt
from services.corpus.requests import PreviewQuery

callbacks = CallbackSet()

_SHOWN = 10
_CHARS = 2000  # of each document


def documents_section(query: Any) -> Any:
    """The documents from the one that the address names."""
    view = DocumentsAt.parse(query)
    jump = dmc.NumberInput(
        id=Corpus.JUMP, value=view.document or 1, min=1, step=_SHOWN, w=110, size="sm",
        allowDecimal=False, debounce=400, **{"aria-label": "First document shown"},
    )  # fmt: skip
    pager = [
        html.Span(id=Corpus.PLACE, className="as-num as-muted", role="status"),
        dmc.Button("Back", id=Corpus.BACK, variant="default", size="sm", disabled=True),
        jump,
        dmc.Button("Next", id=Corpus.NEXT, variant="default", size="sm", disabled=True),
    ]
    body = [
        dcc.Store(id=Corpus.PAGE, data=view.as_data()),
        dcc.Store(id=Corpus.PAGE_SINK),
        html.Div(id=Corpus.DOCUMENTS_ERROR),
        html.Div(loading(), id=Corpus.DOCUMENTS),
    ]
    actions = html.Div(pager, className="as-pager")
    return section("Documents", body, actions=actions)


@callbacks.on(
    Output(Corpus.DOCUMENTS, "children"),
    Output(Corpus.PLACE, "children"),
    Output(Corpus.BACK, "disabled"),
    Output(Corpus.NEXT, "disabled"),
    Input(Corpus.KNOWN, "data"),
    Input(Corpus.PAGE, "data"),
    errors_in=Corpus.DOCUMENTS_ERROR,
)
def show(corpus_id: Any, view_data: Any) -> tuple[Any, str, bool, bool]:
    """The documents from the chosen one on."""
    name = CorpusName.parse({"id": corpus_id}).id
    if name is None:
        raise PreventUpdate
    start = (DocumentsAt.parse(view_data).document or 1) - 1
    query = PreviewQuery.parse({"start": start, "limit": _SHOWN, "chars": _CHARS})
    found = services().corpora.preview(name, query)
    last = start + len(found.documents)
    is_end = last >= found.n_documents
    if not found.documents:
        text = f"The corpus has {found.n_documents:,}."
        return empty_state("No such document", text, icon_name="corpora"), "", start == 0, True
    place = f"{start + 1:,} to {last:,} of {found.n_documents:,}"
    return document_list(found.documents, _CHARS), place, start == 0, is_end


callbacks.clientside(
    clientside_jobs.TURN_PAGE.replace("SHOWN", str(_SHOWN)),
    Output(Corpus.PAGE, "data"),
    Output(Corpus.JUMP, "value"),
    Input(Corpus.BACK, "n_clicks"),
    Input(Corpus.NEXT, "n_clicks"),
    Input(Corpus.JUMP, "value"),
    State(Corpus.PAGE, "data"),
)
callbacks.clientside(
    clientside_jobs.mirror_here(DocumentsAt.model_fields),
    Output(Corpus.PAGE_SINK, "data"),
    Input(Corpus.PAGE, "data"),
)
