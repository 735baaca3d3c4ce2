"""The table of all features of an SAE: searched, filtered, sorted, edited, exported.

The address carries the whole state. What shows another state at once, a saved view or another SAE,
goes through `Table.APPLY`, which builds the body anew as the address would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, Patch, State, dcc, html
from dash.exceptions import PreventUpdate

from components.feature_table import (
    COLUMNS,
    WITHOUT_STORE,
    column_choices,
    feature_grid,
    grid_columns,
)
from components.feature_tabs import feature_tabs
from components.feedback import empty_state, error_alert, loading
from components.icons import icon
from components.shell import page
from pages import clientside
from pages import clientside_features as browser
from pages.callbacks import CallbackSet
from pages.choose_sae import usual_sae
from pages.context import services
from pages.features_bulk import bulk_parts
from pages.features_choice import choices, readable
from pages.features_filters import between, column_panel, filter_panel
from pages.features_ids import Bulk, Table, reset, table_bound, table_field
from pages.features_state import TableState
from pages.features_views import views_panel
from services.errors import ActiscopeError

callbacks = CallbackSet()

PATH = "/features"
_STORES = (
    *Table.SINKS,
    Table.ASKED,
    Table.ROW,
    Table.STAR,
    Table.JUMP_ASKED,
    Bulk.CHANGED,
    Bulk.SELECTED,
)


def layout(**query: Any) -> html.Div:
    """The page, with what its query string has chosen."""
    state = TableState.parse(query)
    body = [
        dcc.Store(id=Table.APPLY),
        dmc.Stack(_body(state), id=Table.BODY),
    ]
    return page("Features", body)


@callbacks.on(
    Output(Table.BODY, "children"),
    Input(Table.APPLY, "data"),
)
def apply(state_data: Any) -> list[Any]:
    """The page as it is with another state."""
    if not isinstance(state_data, Mapping):
        raise PreventUpdate
    return _body(TableState.parse(state_data))


@callbacks.on(
    Output(Table.BOUNDS, "children"),
    Output(Table.ADD_BOUND, "value"),
    Input(Table.ADD_BOUND, "value"),
    State(table_bound(), "id"),
)
def add_bound(name: Any, known: Any) -> tuple[Any, None]:
    """Fields for the bounds of one more column."""
    shown = {id.get("column") for id in known or [] if isinstance(id, Mapping)}
    column = next((c for c in services().features.columns() if c.name == name), None)
    if column is None:
        raise PreventUpdate
    fields = Patch()
    if name not in shown:
        fields.append(between(column))
    return fields, None


def _body(state: TableState) -> list[Any]:
    try:
        return _parts(state)
    except ActiscopeError as error:
        return [feature_tabs("table"), error_alert(error.code, error.message, error.details)]


def _parts(state: TableState) -> list[Any]:
    cards = services().registry.saes()
    if not cards and state.sae is None:
        link = dcc.Link([icon("plus", 16), "Add SAE"], href="/saes/add", className="as-button")
        text = "Features are those of a sparse autoencoder: add one first."
        return [feature_tabs("table"), empty_state("No SAEs yet", text, link, icon_name="saes")]
    state = state.model_copy(update={"sae": state.sae or usual_sae(cards)})
    views = readable(state.sae)
    usual = COLUMNS if views else WITHOUT_STORE
    return [
        feature_tabs("table", state.sae),
        *(dcc.Store(id=i) for i in _STORES),
        dcc.Store(id=Table.VIEW, data=state.as_data()),
        dcc.Store(id=Table.USUAL, data=[*usual]),
        dmc.Paper([*choices(state, cards, views), _panels(state, usual)], className="as-section"),
        html.Div(id=Table.ERROR),
        dmc.Paper(_table(state, usual), className="as-section"),
    ]


def _panels(state: TableState, usual: Sequence[str]) -> html.Div:
    known = services().features.columns()
    return html.Div(
        [
            filter_panel(state, known, _categories(state.sae)),
            column_panel(column_choices(known), state.shown(usual)),
            views_panel(),
        ],
        className="as-panels",
    )


def _table(state: TableState, usual: Sequence[str]) -> list[Any]:
    asked = [name for name in ("fires", "cosine") if state.asks(name)]
    shown = {*state.shown(usual), *asked}
    grid = feature_grid(
        Table.GRID, grid_columns(services().features.columns(), shown, state.order), Table.STAR
    )
    nothing = empty_state(
        "No feature passes these filters", "Widen one of them, or clear them all.",
        dmc.Button("Clear filters", id=reset("nothing"), variant="default"), icon_name="search",
    )  # fmt: skip
    over = html.Div(nothing, id=Table.NOTHING, style={"display": "none"})
    return [_tools(), *bulk_parts(), html.Div([grid, over], className="as-grid-box")]


def _categories(sae_id: str | None) -> Mapping[str, int]:
    """What categories the labels have; none while they cannot be read: the table says why."""
    try:
        return services().labels.status(str(sae_id)).by_category
    except ActiscopeError:
        return {}


def _tools() -> html.Div:
    jump = html.Div(
        [
            dmc.NumberInput(
                id=Table.JUMP, placeholder="Number", min=0, allowDecimal=False, hideControls=True,
                w=110, size="xs", **{"aria-label": "Jump to feature"},
            ),
            dmc.Button("Jump", id=Table.JUMP_GO, variant="default", size="xs"),
        ],
        className="as-jump",
    )  # fmt: skip
    buttons = [
        dmc.Button("Random", id=Table.RANDOM, variant="default", size="xs"),
        dmc.Button("Edit…", id=Bulk.OPEN, variant="default", size="xs"),
    ]
    return html.Div(
        [
            html.Div(loading(1), id=Table.TOTAL, role="status", className="as-total as-num"),
            jump,
            html.Div(buttons, className="as-jump"),
            html.Div(id=Table.EXPORTS, className="as-exports"),
            html.Div(id=Table.JUMP_SAID, role="status", className="as-small as-said"),
        ],
        className="as-tools",
    )


callbacks.clientside(
    browser.COLLECT,
    Output(Table.VIEW, "data"),
    Output(Table.FILTERED, "children"),
    Output(Table.ASKED, "data"),
    Input(table_field(), "value"),
    Input(table_field(), "checked"),
    Input(table_bound(), "value"),
    Input(Table.COLUMNS, "value"),
    Input(Table.GRID, "getRowsRequest"),
    State(Table.USUAL, "data"),
    State(Table.VIEW, "data"),
)
callbacks.clientside(
    browser.ANOTHER,
    Output(Table.APPLY, "data"),
    Input(Table.SAE, "value"),
    Input(reset(), "n_clicks"),
    State(Table.VIEW, "data"),
)
callbacks.clientside(
    browser.REFETCH,
    Output(Table.SINKS[0], "data"),
    Input(Table.ASKED, "data"),
    Input(Bulk.CHANGED, "data"),
    State(Table.GRID, "id"),
)
callbacks.clientside(
    browser.SHOW_COLUMNS,
    Output(Table.SINKS[1], "data"),
    Input(Table.VIEW, "data"),
    State(Table.USUAL, "data"),
    State(Table.GRID, "id"),
)
callbacks.clientside(
    clientside.mirror_fields(PATH, TableState.model_fields),
    Output(Table.SINKS[2], "data"),
    Input(Table.VIEW, "data"),
    prevent_initial_call=False,
)
callbacks.clientside(
    browser.FOLLOW_ADDRESS,
    Output(Table.SINKS[3], "data"),
    Input(Table.VIEW, "data"),
    State(Table.APPLY, "id"),
    prevent_initial_call=False,
)
