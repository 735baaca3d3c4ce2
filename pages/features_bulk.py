"""One thing done to many features at once, and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, ctx, html
from dash.exceptions import PreventUpdate

from components.icons import icon
from components.ids import Shell
from pages import clientside_features as browser
from pages.author import author_of
from pages.callbacks import CallbackSet
from pages.context import services
from pages.features_ids import Bulk, Table, undo_button
from pages.features_state import TableState
from pages.typed import typed
from services.errors import InvalidArgument
from services.labels.requests import BulkEdit

callbacks = CallbackSet()

# what is done, what it is called, what of the request it is
_DEEDS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("star", "Star", {"star": True}),
    ("unstar", "Take the star", {"star": False}),
    ("add", "Add a label", {}),
    ("category", "Set the category of their labels", {}),
    ("remove", "Remove the chosen label", {"remove": "chosen"}),
    ("remove_all", "Remove all labels", {"remove": "all"}),
    ("skip", "Skip when labelling", {}),
    ("unskip", "No longer skip", {"unskip": True}),
)
_NEEDS_TEXT = {"add": "the text of the label", "skip": "why nobody should label them"}


def bulk_parts() -> list[Any]:
    """The dialog, and the place of what was done with the button that takes it back."""
    deeds = [{"value": name, "label": label} for name, label, _ in _DEEDS]
    body = [
        html.Div(id=Bulk.ERROR),
        dmc.RadioGroup(
            dmc.Stack([dmc.Radio(label="The selected features", value="selected"),
                       dmc.Radio(label="All features that pass the filters", value="all")],
                      gap="xs"),
            id=Bulk.SCOPE, value="all", label="Which",
        ),
        dmc.Select(id=Bulk.DO, label="What", data=deeds, value="star", allowDeselect=False),
        dmc.TextInput(id=Bulk.TEXT, label="Text",
                      description="Of the label, or why they are skipped"),
        dmc.TextInput(id=Bulk.CATEGORY, label="Category",
                      description="Of the label; empty takes it away"),
        dmc.Group(
            [
                dmc.Button("Cancel", id=Bulk.CANCEL, variant="default"),
                dmc.Button("Apply", id=Bulk.APPLY),
            ],
            justify="flex-end",
        ),
    ]  # fmt: skip
    modal = dmc.Modal(
        dmc.Stack(body, gap="sm"), id=Bulk.MODAL, title="Edit many features", opened=False,
        centered=True, size="sm", closeButtonProps={"aria-label": "Close"},
    )  # fmt: skip
    return [modal, html.Div(id=Bulk.DONE, role="status")]


def deed_of(do: Any, text: str | None, category: str | None) -> dict[str, Any]:
    """What is to be done, as fields of `BulkEdit`.

    Raises:
        InvalidArgument: nothing that can be done, or something it needs is missing.
    """
    known = {name: fields for name, _, fields in _DEEDS}
    if do not in known:
        raise InvalidArgument("say what is to be done with the features")
    if do in _NEEDS_TEXT and text is None:
        raise InvalidArgument(f"{_NEEDS_TEXT[do]} is missing: fill in the text")
    if do == "add":
        return {"add": text} | ({} if category is None else {"category": category})
    if do == "category":
        return {"category": category}
    return {"skip": text} if do == "skip" else dict(known[do])


@callbacks.on(
    Output(Bulk.MODAL, "opened"),
    Output(Bulk.SCOPE, "value"),
    Input(Bulk.OPEN, "n_clicks"),
    Input(Bulk.CANCEL, "n_clicks"),
    State(Bulk.SELECTED, "data"),
)
def open_dialog(opens: Any, _cancels: Any, selected: Any) -> tuple[bool, str]:
    """Ask what is to be done: with the selected features, if any are."""
    return bool(opens) and ctx.triggered_id == Bulk.OPEN, "selected" if selected else "all"


@callbacks.on(
    Output(Bulk.CHANGED, "data", allow_duplicate=True),
    Output(Bulk.DONE, "children"),
    Output(Bulk.MODAL, "opened", allow_duplicate=True),
    Input(Bulk.APPLY, "n_clicks"),
    State(Bulk.SCOPE, "value"),
    State(Bulk.DO, "value"),
    State(Bulk.TEXT, "value"),
    State(Bulk.CATEGORY, "value"),
    State(Bulk.SELECTED, "data"),
    State(Table.VIEW, "data"),
    State(Shell.AUTHOR, "data"),
    running=[(Output(Bulk.APPLY, "loading"), True, False)],
    errors_in=Bulk.ERROR,
)
def apply(
    clicks: Any, scope: Any, do: Any, text: Any, category: Any, selected: Any, view_data: Any,
    author: Any,
) -> tuple[Any, Any, bool]:  # fmt: skip
    """Do it, and offer to take it back."""
    state = TableState.parse(view_data)
    if not clicks or state.sae is None:
        raise PreventUpdate
    ids = _chosen(scope, selected, state, state.sae)
    given = deed_of(do, typed(text), typed(category)) | {"author": author_of(author)}
    request = BulkEdit.parse({"sae_id": state.sae, "feature_ids": ids, **given})
    report = services().labels.bulk(request)
    return clicks, _said(str(do), report.n, report.batch_id), False


def _chosen(scope: Any, selected: Any, state: TableState, sae_id: str) -> list[int]:
    if scope == "all":
        ids = services().features.ids(state.query(sae_id))
    else:
        ids = [id for id in selected or [] if isinstance(id, int)]
    if not ids:
        raise InvalidArgument("no feature is selected: tick some rows, or take all that pass")
    return ids


def _said(do: str, n: int, batch_id: str | None) -> Any:
    name = next(label for known, label, _ in _DEEDS if known == do)
    changed = f"{n:,} feature{'s' * (n != 1)} changed" if n else "nothing to change"
    undo = batch_id and dmc.Button(
        "Undo", id=undo_button(batch_id), variant="default", size="compact-sm",
        leftSection=icon("rerun", 14),
    )  # fmt: skip
    return html.Div([icon("check", 16), html.Span(f"{name}: {changed}."), undo],
                    className="as-done")  # fmt: skip


@callbacks.on(
    Output(Bulk.CHANGED, "data", allow_duplicate=True),
    Output(Bulk.DONE, "children", allow_duplicate=True),
    Input(undo_button(ALL), "n_clicks"),
    State(Shell.AUTHOR, "data"),
    errors_in=Table.ERROR,
)
def undo(clicks: Any, author: Any) -> tuple[Any, Any]:
    """Take a bulk edit back."""
    asked = ctx.triggered_id
    if not isinstance(asked, Mapping) or not any(clicks or []):
        raise PreventUpdate
    services().labels.undo(str(asked["batch"]), author=author_of(author))
    return f"undone {asked['batch']}", html.Div(
        [icon("check", 16), html.Span("Taken back.")], className="as-done"
    )


callbacks.clientside(
    browser.SELECTED,
    Output(Bulk.SELECTED, "data"),
    Output(Bulk.OPEN, "children"),
    Input(Table.GRID, "selectedRows"),
)
callbacks.clientside(
    browser.NEEDED,
    Output(Bulk.TEXT, "style"),
    Output(Bulk.CATEGORY, "style"),
    Input(Bulk.DO, "value"),
    prevent_initial_call=False,
)
