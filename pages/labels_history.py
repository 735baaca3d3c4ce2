"""What was done to the labels of an SAE, newest first; each change and each batch can go back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, Patch, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from components.feedback import empty_state, loading
from components.ids import Shell
from components.labels import batch_line, change_lines
from components.shell import section
from pages.author import author_of
from pages.callbacks import CallbackSet
from pages.context import services
from pages.label_form import change_of, changed, clicked
from pages.label_ids import LabelHistory, LabelsPage, undo_batch, undo_change
from pages.labels_state import LabelsState
from services.labels.requests import HistoryQuery
from services.types.labels import LabelChange

callbacks = CallbackSet()

_AT = "history"
_PAGE = 100
_OF_BATCH = 3  # changes of a batch that are shown
_HIDDEN = {"display": "none"}


def history_part() -> Component:
    """The history; it fills in by itself."""
    older = dmc.Button("Load older", id=LabelHistory.MORE, variant="default", style=_HIDDEN)
    body = [
        dcc.Store(id=LabelHistory.CURSOR),
        html.Div(id=LabelHistory.ERROR),
        html.Div(id=LabelHistory.SAID, className="as-muted as-small", role="status"),
        html.Div(loading(), id=LabelHistory.NOTHING),
        html.Ul(id=LabelHistory.ITEMS, className="as-changes", **{"aria-label": "Changes"}),
        older,
    ]
    return section("History", body)


@callbacks.on(
    Output(LabelHistory.ITEMS, "children"),
    Output(LabelHistory.NOTHING, "children"),
    Output(LabelHistory.CURSOR, "data"),
    Output(LabelHistory.MORE, "style"),
    Input(LabelsPage.VIEW, "data"),
    Input(LabelsPage.CHANGED, "data"),
    prevent_initial_call=False,
    errors_in=LabelHistory.ERROR,
)
def newest(view_data: Any, _changed: Any) -> tuple[Any, Any, Any, Any]:
    """The newest changes."""
    lines, cursor = _page(view_data, None)
    text = "What is said of the features of this SAE is listed here, and can be taken back."
    nothing = None if lines else empty_state("Nothing was done yet", text, icon_name="clock")
    return lines, nothing, cursor, {} if cursor else _HIDDEN


@callbacks.on(
    Output(LabelHistory.ITEMS, "children", allow_duplicate=True),
    Output(LabelHistory.CURSOR, "data", allow_duplicate=True),
    Output(LabelHistory.MORE, "style", allow_duplicate=True),
    Input(LabelHistory.MORE, "n_clicks"),
    State(LabelsPage.VIEW, "data"),
    State(LabelHistory.CURSOR, "data"),
    running=[(Output(LabelHistory.MORE, "loading"), True, False)],
    errors_in=LabelHistory.ERROR,
)
def older(clicks: Any, view_data: Any, cursor: Any) -> tuple[Any, Any, Any]:
    """The changes before those on the page."""
    if not clicks or not cursor:
        raise PreventUpdate
    lines, further = _page(view_data, cursor)
    items = Patch()
    items.extend(lines)
    return items, further, {} if further else _HIDDEN


def _page(view_data: Any, cursor: Any) -> tuple[list[html.Li], str | None]:
    sae_id = LabelsState.parse(view_data).sae
    if sae_id is None:
        raise PreventUpdate
    query = HistoryQuery.parse({"sae_id": sae_id, "limit": _PAGE, "cursor": cursor})
    found = services().labels.history(query)
    lines: list[html.Li] = []
    for _, batch in groupby(found.items, key=lambda change: change.batch_id):
        lines += _batch(list(batch))
    return lines, found.next_cursor


def _batch(changes: Sequence[LabelChange]) -> list[html.Li]:
    """A change by itself; of a batch a line for all of it, and its last changes."""
    shown = change_lines(
        changes[:_OF_BATCH], lambda c: undo_change(c.change_id, _AT), with_feature=True
    )
    if len(changes) == 1:
        return shown
    return [batch_line(changes, undo_batch(changes[0].batch_id), shown)]


@callbacks.on(
    Output(LabelsPage.CHANGED, "data", allow_duplicate=True),
    Output(LabelHistory.SAID, "children"),
    Input(undo_change(at=_AT), "n_clicks"),
    Input(undo_batch(), "n_clicks"),
    State(Shell.AUTHOR, "data"),
    errors_in=LabelHistory.ERROR,
)
def undo(_changes: Any, _batches: Any, author: Any) -> tuple[int, str]:
    """Take a change, or a batch, back."""
    button = clicked()
    labels = services().labels
    if "batch" in button:
        report = labels.undo(str(button["batch"]), author=author_of(author))
    else:
        report = labels.undo(change_id=change_of(button), author=author_of(author))
    features = "1 feature" if report.n == 1 else f"{report.n:,} features"
    return changed(), f"Taken back at {features}."
