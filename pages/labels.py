"""The labels of an SAE: how far they are, which feature is next, what was done, files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from components.feature_tabs import feature_tabs
from components.feedback import empty_state, loading
from components.icons import icon
from components.label_status import label_status
from components.shell import page, section
from pages import clientside
from pages.author import author_input
from pages.callbacks import CallbackSet
from pages.choose_sae import sae_select, usual_sae
from pages.context import services
from pages.label_ids import LabelsPage, labels_field
from pages.labels_files import files_part
from pages.labels_history import history_part
from pages.labels_queue import queue_part
from pages.labels_state import LabelsState
from services.errors import ActiscopeError
from services.types import SaeCard

callbacks = CallbackSet()

PATH = "/labels"


def layout(**query: Any) -> html.Div:
    """The page, for the SAE that its query string names, or the one that read a corpus last."""
    state = LabelsState.parse(query)
    try:
        cards = services().registry.saes()
    except ActiscopeError as error:
        return page("Labels", [feature_tabs("labels"), _nothing("No list of SAEs", error.message)])
    if not cards and state.sae is None:
        link = dcc.Link([icon("plus", 16), "Add SAE"], href="/saes/add", className="as-button")
        text = "Labels are those of a sparse autoencoder's features: add one first."
        return page("Labels", [feature_tabs("labels"), _nothing("No SAEs yet", text, link)])
    state = state.model_copy(update={"sae": state.sae or usual_sae(cards)})
    return page("Labels", _body(state, cards))


def _nothing(title: str, text: str, action: Any = None) -> Any:
    return empty_state(title, text, action, icon_name="saes")


def _body(state: LabelsState, cards: Sequence[SaeCard]) -> list[Any]:
    sae = sae_select(LabelsPage.SAE, cards, state.sae)
    choice = dmc.Group([sae, author_input("labels")], gap="sm", align="end")
    return [
        feature_tabs("labels", state.sae),
        dcc.Store(id=LabelsPage.VIEW, data=state.as_data()),
        *(dcc.Store(id=i) for i in (LabelsPage.SINK, LabelsPage.CHANGED)),
        section("Status", [choice, html.Div(id=LabelsPage.STATUS_ERROR),
                           html.Div(loading(2), id=LabelsPage.STATUS)]),
        _tabs(state),
    ]  # fmt: skip


def _tabs(state: LabelsState) -> dmc.Tabs:
    parts = [
        ("queue", "Label next", queue_part(state)),
        ("history", "History", history_part()),
        ("files", "Import and export", files_part(state)),
    ]
    heads = dmc.TabsList([dmc.TabsTab(label, value=key) for key, label, _ in parts])
    panels = [dmc.TabsPanel(body, value=key, pt="md") for key, _, body in parts]
    return dmc.Tabs([heads, *panels], id=labels_field("tab"), value=state.tab or "queue")


@callbacks.on(
    Output(LabelsPage.STATUS, "children"),
    Input(LabelsPage.VIEW, "data"),
    Input(LabelsPage.CHANGED, "data"),
    State(LabelsPage.STATUS, "id"),
    prevent_initial_call=False,
    errors_in=LabelsPage.STATUS_ERROR,
)
def show_status(view_data: Any, _changed: Any, _id: Any) -> Any:
    """How far the labelling is now."""
    state = LabelsState.parse(view_data)
    if state.sae is None:
        raise PreventUpdate
    return label_status(services().labels.status(state.sae, state.store))


# Another SAE is another page: what was found for the last one must not stay.
callbacks.clientside(
    """
    (sae, view) => {
      const {no_update, set_props} = window.dash_clientside;
      if (!sae || !view || sae === view.sae) return no_update;
      const tab = new URLSearchParams(window.location.search).get('tab');
      const query = new URLSearchParams(tab ? {sae, tab} : {sae});
      set_props('LOCATION', {href: window.location.pathname + '?' + query});
      return no_update;
    }
    """.replace("LOCATION", "shell-location"),
    Output(LabelsPage.SINK, "data", allow_duplicate=True),
    Input(LabelsPage.SAE, "value"),
    State(LabelsPage.VIEW, "data"),
)
callbacks.clientside(
    """
    (values, checked, view, ids) => {
      const {no_update, callback_context: {inputs_list}} = window.dash_clientside;
      const next = Object.assign({}, view);
      [values, checked].forEach((given, n) => inputs_list[n].forEach((input, i) => {
        const name = input.id.name, value = given[i];
        const isSwitch = name === 'labelled';
        if (isSwitch !== (n === 1)) return;
        if (value === null || value === undefined || value === '' || value === false) {
          delete next[name];
        } else next[name] = value;
      }));
      const text = object => JSON.stringify(Object.entries(object || {}).sort());
      return text(next) === text(view) ? no_update : next;
    }
    """,
    Output(LabelsPage.VIEW, "data"),
    Input(labels_field(), "value"),
    Input(labels_field(), "checked"),
    State(LabelsPage.VIEW, "data"),
)
callbacks.clientside(
    clientside.mirror_fields(PATH, LabelsState.model_fields),
    Output(LabelsPage.SINK, "data"),
    Input(LabelsPage.VIEW, "data"),
)
