"""All runs: found by filter, opened, annotated, deleted."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import MATCH, Input, Output, Patch, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from components import ids
from components.feedback import empty_state, notice
from components.icons import icon
from components.shell import page, section
from pages import clientside, run_actions
from pages.callbacks import CallbackSet
from pages.context import services
from pages.filters import Filters
from pages.ids import List, ask_delete, filter_field, notes_of, notes_state
from pages.run_rows import run_rows
from services.types import RunStatus

callbacks = CallbackSet()

PATH = "/runs"
_LIST = {"listStyle": "none", "padding": 0, "margin": 0, "display": "grid", "gap": 12}


def layout(**query: Any) -> html.Div:
    """The page, with the filters that its query string names."""
    filters = Filters.parse(query)
    modal = run_actions.delete_modal(List.MODAL)
    older = dmc.Button("Load older", id=List.OLDER, variant="default", style={"display": "none"})
    body = [
        dcc.Store(id=List.VIEW, data=filters.as_data()),
        *(dcc.Store(id=i) for i in (List.CURSOR, List.DOOMED, List.DELETED, List.QUERY)),
        section("Filter", _filters(filters)),
        html.Div(id=List.ERROR),
        html.Div(id=List.SUMMARY),
        html.Ul(id=List.ITEMS, style=_LIST, **{"aria-label": "Runs"}),
        older,
        modal,
    ]
    return page("Runs", body)


def _filters(filters: Filters) -> Any:
    models = services().models
    saes = [sae.sae_id for model in models for sae in model.saes]
    return dmc.Group(
        [
            dmc.TextInput(
                id=filter_field("text"), label="Text in prompt", value=filters.text or "",
                debounce=400, leftSection=icon("search", 16),
            ),
            _choice("status", "Status", [status.value for status in RunStatus], filters.status),
            _choice("model", "Model", [model.model_id for model in models], filters.model),
            _choice("sae", "SAE", saes, filters.sae),
            _number("feature", "Feature", filters.feature, "of the SAE", decimals=False),
            _number("above", "Fired above", filters.above, "0"),
        ],
        align="end",
    )  # fmt: skip


def _number(
    name: str, label: str, value: float | None, hint: str, *, decimals: bool = True
) -> dmc.NumberInput:
    return dmc.NumberInput(
        id=filter_field(name), label=label, value="" if value is None else value,
        placeholder=hint, allowDecimal=decimals, allowNegative=decimals, hideControls=True,
        debounce=400, w=110,
    )  # fmt: skip


def _choice(name: str, label: str, values: list[str], chosen: str | None) -> dmc.Select:
    # A link may name a model or SAE that is gone while its runs are not.
    data = [*dict.fromkeys([*values, *([str(chosen)] if chosen else [])])]
    return dmc.Select(
        id=filter_field(name), label=label, data=data, value=chosen and str(chosen),
        clearable=True, placeholder="any", clearButtonProps={"aria-label": f"Any {label}"},
    )  # fmt: skip


@callbacks.on(
    Output(List.ITEMS, "children"),
    Output(List.SUMMARY, "children"),
    Output(List.CURSOR, "data"),
    Output(List.OLDER, "style"),
    Input(List.VIEW, "data"),
    Input(List.DELETED, "data"),
    prevent_initial_call=False,
    errors_in=List.ERROR,
)
def first_page(filter_data: Any, _deleted: Any) -> tuple[Any, Any, Any, Any]:
    """The newest runs that pass the filters."""
    filters = Filters.parse(filter_data)
    found = services().runs.list(filters.query())
    nothing = None if found.items else _nothing(bool(filters.as_data()))
    return run_rows(found.items), nothing, found.next_cursor, _more(found.next_cursor)


@callbacks.on(
    Output(List.ITEMS, "children", allow_duplicate=True),
    Output(List.CURSOR, "data", allow_duplicate=True),
    Output(List.OLDER, "style", allow_duplicate=True),
    Input(List.OLDER, "n_clicks"),
    State(List.VIEW, "data"),
    State(List.CURSOR, "data"),
    running=[(Output(List.OLDER, "loading"), True, False)],
    errors_in=List.ERROR,
)
def older_page(clicks: Any, filter_data: Any, cursor: Any) -> tuple[Any, Any, Any]:
    """The runs that come after those on the page."""
    if not clicks or not cursor:
        raise PreventUpdate
    found = services().runs.list(Filters.parse(filter_data).query(cursor))
    items = Patch()
    items.extend(run_rows(found.items))
    return items, found.next_cursor, _more(found.next_cursor)


def _more(cursor: str | None) -> dict[str, str]:
    return {} if cursor else {"display": "none"}


def _nothing(filtered: bool) -> Any:
    if filtered:
        return empty_state("No run passes these filters", "Clear one of them.", icon_name="search")
    link = dmc.Anchor("Go to the playground", href="/")
    return empty_state("No runs yet", "What you run appears here and stays.", link)


@callbacks.on(
    Output(List.DOOMED, "data"),
    Output(List.MODAL, "opened"),
    Input(ask_delete(), "n_clicks"),
    Input(ids.dismiss(List.MODAL), "n_clicks"),
)
def ask(clicks: list[Any], _keep: Any) -> tuple[Any, bool]:
    """Ask before deleting the run whose button was pressed."""
    asked = ctx.triggered_id
    is_click = isinstance(asked, dict) and "run" in asked and any(clicks or [])
    return (asked["run"], True) if is_click else (no_update, False)


@callbacks.on(
    Output(List.DELETED, "data"),
    Output(List.MODAL, "opened", allow_duplicate=True),
    Output(ids.Shell.NOTICES, "sendNotifications"),
    Input(ids.confirm(List.MODAL), "n_clicks"),
    State(List.DOOMED, "data"),
    errors_in=List.ERROR,
)
def delete(clicks: Any, doomed: Any) -> tuple[str, bool, list[Any]]:
    """Remove the run that the dialog asked about."""
    run = run_actions.delete(clicks, doomed)
    return run, False, [notice("Deleted", f"Run {run[:12]} is gone.", kind="done")]


@callbacks.on(
    Output(notes_state(MATCH), "children"),
    Input(notes_of(MATCH), "value"),
    State(notes_of(MATCH), "id"),
)
def keep_notes(notes: Any, note_id: Any) -> str:
    """Store what was written beside the run."""
    return run_actions.keep_notes(notes, run_actions.run_of(note_id))


callbacks.clientside(
    clientside.FILTERS,
    Output(List.VIEW, "data"),
    Input(filter_field(), "value"),
    State(List.VIEW, "data"),
)
callbacks.clientside(
    clientside.mirror_fields(PATH, Filters.model_fields),
    Output(List.QUERY, "data"),
    Input(List.VIEW, "data"),
)
