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

from components.extractions import new_button
from components.feature_table import (
    COLUMNS,
    WITHOUT_STORE,
    column_choices,
    feature_grid,
    grid_columns,
)
from components.feature_tabs import feature_tabs
from components.feedback import empty_state, loading
from components.icons import icon
from components.shell import page
from pages import clientside
from pages import clientside_features as browser
from pages.callbacks import CallbackSet
from pages.context import services
from pages.features_bulk import bulk_parts
from pages.features_filters import between, column_panel, filter_panel, search_field
from pages.features_ids import Bulk, Table, reset, table_bound, table_field
from pages.features_state import TableState
from pages.features_views import views_panel
from services.errors import ActiscopeError
from services.extraction.requests import ExtractionQuery
from services.types import EntryState, ExtractionView, SaeCard

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
        cards = services().registry.saes()
    except ActiscopeError as error:
        return [feature_tabs("table"), empty_state("No SAEs can be listed", error.message)]
    if not cards and state.sae is None:
        link = dcc.Link([icon("plus", 16), "Add SAE"], href="/saes/add", className="as-button")
        text = "Features are those of a sparse autoencoder: add one first."
        return [feature_tabs("table"), empty_state("No SAEs yet", text, link, icon_name="saes")]
    state = state.model_copy(update={"sae": state.sae or _usual(cards)})
    views = _readable(state.sae)
    usual = COLUMNS if views else WITHOUT_STORE
    return [
        feature_tabs("table", state.sae),
        *(dcc.Store(id=i) for i in _STORES),
        dcc.Store(id=Table.VIEW, data=state.as_data()),
        dcc.Store(id=Table.USUAL, data=[*usual]),
        dmc.Paper([*_choices(state, cards, views), _panels(state, usual)], className="as-section"),
        html.Div(id=Table.ERROR),
        dmc.Paper(_table(state, usual), className="as-section"),
    ]


def _usual(cards: Sequence[SaeCard]) -> str:
    """The SAE that is shown where none is named: the one that read a corpus last."""
    ready = [c.info.sae_id for c in cards if c.state is EntryState.READY]
    names = ready or [c.info.sae_id for c in cards]
    for view in services().extractions.list(ExtractionQuery(limit=50)).items:
        if view.has_store and view.sae_id in names:
            return view.sae_id
    return names[0]


def _choices(
    state: TableState, cards: Sequence[SaeCard], views: Sequence[ExtractionView]
) -> list[Any]:
    names = [card.info.sae_id for card in cards]
    sae = dmc.Select(
        id=Table.SAE, label="SAE", data=[*dict.fromkeys([*names, str(state.sae)])],
        value=state.sae, searchable=True, allowDeselect=False, nothingFoundMessage="None found",
        className="as-choose-sae",
    )  # fmt: skip
    parts = [sae, _store_choice(state, views), search_field(state)]
    hint = None
    if not views:
        hint = html.Div(
            [
                html.Span("This SAE has read no corpus yet: what is known is its decoder."),
                new_button("Start an extraction", sae=str(state.sae)),
            ],
            className="as-hint",
        )
    return [dmc.Group(parts, align="end", gap="sm", className="as-choose"), hint]


def _readable(sae_id: str | None) -> tuple[ExtractionView, ...]:
    found = services().extractions.list(ExtractionQuery(sae_id=sae_id, limit=100))
    return tuple(view for view in found.items if view.has_store)


def _store_choice(state: TableState, views: Sequence[ExtractionView]) -> Any:
    data = [{"value": view.extraction_id, "label": _store_name(view)} for view in views]
    if state.store and state.store not in {view.extraction_id for view in views}:
        data.append({"value": state.store, "label": state.store})
    return dmc.Select(
        id=table_field("store"), label="Evidence from", data=data, value=state.store,
        clearable=True, placeholder="The newest extraction" if views else "No extraction yet",
        disabled=not data, clearButtonProps={"aria-label": "The newest extraction"},
        className="as-choose-store",
    )  # fmt: skip


def _store_name(view: ExtractionView) -> str:
    at = view.finished_at or view.started_at or view.created_at
    rest = "" if view.is_complete else ", not complete"
    return f"{view.corpus_name}, {view.live.n_tokens or 0:,} tokens, {at:%Y-%m-%d %H:%M}{rest}"


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
