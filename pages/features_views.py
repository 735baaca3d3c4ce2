"""Saved views of the table of features: kept under a name, shown again, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from components.icons import icon
from components.ids import Shell
from components.runs import time_element
from pages import clientside
from pages.author import author_of
from pages.callbacks import CallbackSet
from pages.context import services
from pages.features_ids import Table, Views, view_button, view_removal
from pages.features_state import TableState
from services.features.views import SaveView
from services.types.labels import SavedView

callbacks = CallbackSet()


def views_panel() -> html.Details:
    """The saved views of the SAE, and the form that saves the present one."""
    form = html.Div(
        [
            dmc.TextInput(
                id=Views.NAME, placeholder="Name", size="xs",
                **{"aria-label": "Name of the view"},
            ),
            dmc.Checkbox(id=Views.REPLACE, label="Replace one of this name", size="xs"),
            dmc.Button("Save this view", id=Views.SAVE, variant="default", size="xs"),
        ],
        className="as-jump",
    )  # fmt: skip
    body = [html.Div(id=Views.ERROR), html.Div(id=Views.BOX), form]
    return html.Details(
        [
            html.Summary("Saved views"),
            dmc.Stack(body, gap="sm"),
            dcc.Store(id=Views.ASKED),
            dcc.Store(id=Views.CHANGED),
        ],
        className="as-options as-details",
    )


@callbacks.on(
    Output(Views.BOX, "children"),
    Input(Views.CHANGED, "data"),
    State(Table.VIEW, "data"),
    prevent_initial_call=False,
    errors_in=Views.ERROR,
)
def list_views(_changed: Any, view_data: Any) -> Any:
    """The views that there are."""
    state = TableState.parse(view_data)
    if state.sae is None:
        raise PreventUpdate
    return _listed(services().views.list(state.sae))


def _listed(views: Sequence[SavedView]) -> Any:
    if not views:
        text = "None yet. A view keeps search, filters, order and columns under a name."
        return dmc.Text(text, size="sm", className="as-muted")
    return html.Ul([html.Li(_line(view)) for view in views], className="as-views")


def _line(view: SavedView) -> list[Any]:
    show = html.Button(view.name, id=view_button(view.view_id), className="as-row-button",
                       type="button")  # fmt: skip
    by = html.Span([f"{view.author}, ", time_element(view.created_at)], className="as-muted")
    remove = dmc.ActionIcon(
        icon("trash", 15), id=view_removal(view.view_id), size="sm", color="gray",
        **{"aria-label": f"Remove the view {view.name}"},
    )  # fmt: skip
    return [show, by, remove]


@callbacks.on(
    Output(Views.CHANGED, "data"),
    Output(Views.NAME, "value"),
    Input(Views.ASKED, "data"),
    State(Views.NAME, "value"),
    State(Views.REPLACE, "checked"),
    State(Table.VIEW, "data"),
    State(Shell.AUTHOR, "data"),
    errors_in=Views.ERROR,
)
def save(asked: Any, name: Any, replace: Any, view_data: Any, author: Any) -> tuple[Any, str]:
    """Keep what the table shows now."""
    state = TableState.parse(view_data)
    if not asked or state.sae is None:
        raise PreventUpdate
    kept = {name: value for name, value in state.as_data().items() if name != "sae"}
    values = {"sae_id": state.sae, "name": name or "", "state": kept, "author": author_of(author)}
    view = services().views.save(SaveView.parse(values | {"replace": bool(replace)}))
    return f"saved {view.view_id} {asked}", ""


@callbacks.on(
    Output(Views.CHANGED, "data", allow_duplicate=True),
    Input(view_removal(ALL), "n_clicks"),
    State(Table.VIEW, "data"),
    errors_in=Views.ERROR,
)
def remove(clicks: Any, view_data: Any) -> str:
    """Forget a view."""
    state, asked = TableState.parse(view_data), ctx.triggered_id
    if not isinstance(asked, Mapping) or not any(clicks or []) or state.sae is None:
        raise PreventUpdate
    services().views.remove(state.sae, str(asked["view"]))
    return f"removed {asked['view']}"


@callbacks.on(
    Output(Table.APPLY, "data", allow_duplicate=True),
    Input(view_button(ALL), "n_clicks"),
    State(Table.VIEW, "data"),
    errors_in=Views.ERROR,
)
def show(clicks: Any, view_data: Any) -> dict[str, Any]:
    """The table as a view has kept it."""
    state, asked = TableState.parse(view_data), ctx.triggered_id
    if not isinstance(asked, Mapping) or not any(clicks or []) or state.sae is None:
        raise PreventUpdate
    view = services().views.get(state.sae, str(asked["view"]))
    return {**view.state, "sae": state.sae}


callbacks.clientside(
    clientside.ENTERED,
    Output(Views.ASKED, "data"),
    Input(Views.SAVE, "n_clicks"),
    Input(Views.NAME, "n_submit"),
)
