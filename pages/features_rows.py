"""The rows of the table of features: fetched, jumped to, drawn by chance, starred, exported."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from dash import Input, Output, State, dcc, html, set_props
from dash.exceptions import PreventUpdate

from components.feature_links import feature_href
from components.feature_table import feature_rows, total_text
from components.ids import Shell
from pages import clientside
from pages import clientside_features as browser
from pages.author import author_of
from pages.callbacks import CallbackSet
from pages.context import services
from pages.features_ids import Bulk, Table
from pages.features_state import TableState
from services.errors import ActiscopeError, InvalidArgument

callbacks = CallbackSet()

_BLOCK = 500  # most rows that one request of the grid may fetch
_SHOWN: dict[str, str] = {}
_HIDDEN = {"display": "none"}
_FORMATS = (("CSV", "csv"), ("JSON", "json"), ("Arrow", "arrow"))


@callbacks.on(
    Output(Table.GRID, "getRowsResponse"),
    Output(Table.TOTAL, "children"),
    Output(Table.NOTHING, "style"),
    Input(Table.GRID, "getRowsRequest"),
    State(Table.VIEW, "data"),
    errors_in=Table.ERROR,
)
def fetch_rows(request: Any, view_data: Any) -> tuple[Any, Any, Any]:
    """The block of rows that the grid has scrolled to."""
    state = sorted_by(TableState.parse(view_data), request)
    if state.sae is None:
        raise PreventUpdate
    found = None
    try:
        found = services().features.page(state.query(state.sae, **_paging(request)))
    finally:
        if found is None:  # the grid waits for an answer, whatever else is said of it
            set_props(Table.GRID, {"getRowsResponse": {"rowData": [], "rowCount": 0}})
            set_props(Table.TOTAL, {"children": "No features"})
    rows = feature_rows(state.sae, found.items, state.store)
    total = total_text(found.total, found.n_features)
    answer = {"rowData": rows, "rowCount": found.total}
    return answer, total, _HIDDEN if found.total else _SHOWN


def sorted_by(state: TableState, request: Any) -> TableState:
    """The state in the order that the grid asks for: it knows before the view does."""
    asked = request.get("sortModel") if isinstance(request, Mapping) else None
    sort: Any = next(iter(asked), {}) if isinstance(asked, list) else {}
    if not isinstance(sort, Mapping):
        sort = {}
    return TableState.parse(
        state.as_data() | {"sort": sort.get("colId"), "down": sort.get("sort") == "desc"}
    )


def _paging(request: Any) -> dict[str, Any]:
    """Offset and limit of the grid's request; what it asks wrongly is refused later."""
    asked = request if isinstance(request, Mapping) else {}
    start, end = asked.get("startRow", 0), asked.get("endRow", 100)
    numbers = isinstance(start, int) and isinstance(end, int)
    return {"offset": start, "limit": min(end - start, _BLOCK) if numbers else end}


@callbacks.on(
    Output(Table.EXPORTS, "children"),
    Input(Table.VIEW, "data"),
    prevent_initial_call=False,
    errors_in=Table.ERROR,
)
def link_exports(view_data: Any) -> list[Any]:
    """Links to files of all features that pass, in the order of the table."""
    state = TableState.parse(view_data)
    if state.sae is None:
        raise PreventUpdate
    given = state.parameters()
    address = f"/api/v1/saes/{quote(state.sae)}/features/export"
    return [
        html.Span("Download", className="as-muted as-small"),
        *(
            html.A(label, href=f"{address}?{urlencode(given | {'format': form})}", download="")
            for label, form in _FORMATS
        ),
    ]


@callbacks.on(
    Output(Table.ROW, "data"),
    Output(Table.JUMP_SAID, "children"),
    Input(Table.JUMP_ASKED, "data"),
    State(Table.JUMP, "value"),
    State(Table.VIEW, "data"),
    errors_in=Table.ERROR,
)
def jump(asked: Any, number: Any, view_data: Any) -> tuple[Any, Any]:
    """Where in the table the feature of this number is; a link to it where it does not pass."""
    state = TableState.parse(view_data)
    if state.sae is None:
        raise PreventUpdate
    if not isinstance(number, int) or isinstance(number, bool):
        raise InvalidArgument("no feature is named: give its number")
    query = state.query(state.sae)
    services().features.lines(state.sae, [number], state.store)  # is there such a feature?
    ids = services().features.ids(query)
    href = feature_href(state.sae, number, store=state.store)
    if number not in ids:
        link = dcc.Link("open its page", href=href)
        return None, [f"Feature {number} does not pass the filters: ", link, "."]
    row = ids.index(number)
    link = dcc.Link("open its page", href=href)
    return {"row": row, "at": asked}, [f"Feature {number} is in row {row + 1:,}: ", link, "."]


@callbacks.on(
    Output(Shell.LOCATION, "href"),
    Input(Table.RANDOM, "n_clicks"),
    State(Table.VIEW, "data"),
    errors_in=Table.ERROR,
)
def open_any(clicks: Any, view_data: Any) -> str:
    """The page of one of the features that pass, drawn by chance."""
    state = TableState.parse(view_data)
    if not clicks or state.sae is None:
        raise PreventUpdate
    ids = services().features.ids(state.query(state.sae))
    if not ids:
        raise InvalidArgument("no feature passes these filters: clear one of them")
    return feature_href(state.sae, secrets.choice(ids), store=state.store)


@callbacks.on(
    Input(Table.STAR, "data"),
    State(Table.VIEW, "data"),
    State(Shell.AUTHOR, "data"),
)
def star(asked: Any, view_data: Any, author: Any) -> None:
    """Star the feature of a row, or take its star; the row shows it already."""
    state = TableState.parse(view_data)
    if state.sae is None or not isinstance(asked, Mapping):
        raise PreventUpdate
    feature, on = asked.get("feature"), asked.get("on")
    if not isinstance(feature, int) or not isinstance(on, bool):
        raise PreventUpdate
    try:
        services().labels.star(state.sae, feature, on, author_of(author))
    except ActiscopeError:
        set_props(Bulk.CHANGED, {"data": {"refused": feature, "at": asked.get("at")}})
        raise


callbacks.clientside(
    clientside.ENTERED,
    Output(Table.JUMP_ASKED, "data"),
    Input(Table.JUMP_GO, "n_clicks"),
    Input(Table.JUMP, "n_submit"),
)
callbacks.clientside(
    browser.SHOW_ROW,
    Output(Table.SINKS[4], "data"),
    Input(Table.ROW, "data"),
    State(Table.GRID, "id"),
)
