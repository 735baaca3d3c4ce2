"""All corpora, the shipped one among them; or the one that the address names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html

from components.corpora import corpus_table
from components.feedback import empty_state, loading
from components.icons import icon
from components.shell import page, section
from pages import clientside, corpus
from pages.callbacks import CallbackSet
from pages.context import services
from pages.corpus_actions import corpus_buttons, corpus_dialog
from pages.corpus_ids import Corpora, CorporaFilters, CorpusAct, CorpusName, corpora_field
from services.corpus.requests import CorpusQuery
from services.types import CorpusInfo

callbacks = CallbackSet()

PATH = "/corpora"
ADD = "/corpora/add"


def layout(**query: Any) -> html.Div:
    """The page of all corpora, or of the one that the query string names."""
    if CorpusName.parse(query).id is not None:
        return corpus.layout(**query)
    filters = CorporaFilters.parse(query)
    deleted = dmc.Switch(
        id=corpora_field("deleted"), label="Deleted ones too", checked=bool(filters.deleted)
    )
    body = [
        dcc.Store(id=Corpora.VIEW, data=filters.as_data()),
        dcc.Store(id=Corpora.SINK),
        *corpus_dialog(),
        html.Div(id=Corpora.ERROR),
        html.Div(loading(), id=Corpora.ITEMS),
    ]
    intro = "Texts that features are extracted over. A corpus never changes once it is added."
    return page("Corpora", body, actions=[deleted, add_button()], intro=intro)


def add_button() -> Any:
    """The way to the page that adds corpora."""
    return dcc.Link([icon("plus", 16), "Add corpus"], href=ADD, className="as-button")


@callbacks.on(
    Output(Corpora.ITEMS, "children"),
    Input(Corpora.VIEW, "data"),
    Input(CorpusAct.CHANGED, "data"),
    prevent_initial_call=False,
    errors_in=Corpora.ERROR,
)
def show(filter_data: Any, _changed: Any) -> Any:
    """The corpora."""
    with_deleted = bool(CorporaFilters.parse(filter_data).deleted)
    return _list(services().corpora.list(CorpusQuery(include_deleted=with_deleted)))


def _list(found: Sequence[CorpusInfo]) -> Any:
    if not found:
        text = "Add one from a file, a folder or a dataset."
        return dmc.Paper(empty_state("No corpora", text, add_button(), icon_name="corpora"))
    rows = [(info, corpus_buttons(info, size="xs")) for info in found]
    return section(
        f"{len(found):,} {'corpus' if len(found) == 1 else 'corpora'}", corpus_table(rows)
    )


callbacks.clientside(
    clientside.FILTERS,
    Output(Corpora.VIEW, "data"),
    Input(corpora_field(), "checked"),
    State(Corpora.VIEW, "data"),
)
callbacks.clientside(
    clientside.mirror_fields(PATH, CorporaFilters.model_fields),
    Output(Corpora.SINK, "data"),
    Input(Corpora.VIEW, "data"),
)
