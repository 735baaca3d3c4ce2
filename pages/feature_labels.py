"""What a feature is called: its labels beside each other, the editor, the history."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from components.feedback import empty_state, loading
from components.icons import icon
from components.ids import Shell
from components.labels import change_lines, label_cards
from components.shell import section
from pages import clientside
from pages.author import author_input, author_of
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import FeatureIds
from pages.feature_state import Place
from pages.label_form import change_of, changed, clicked, given, label_form
from pages.label_ids import Labels, label_act, label_field, undo_change
from services.labels.requests import AddLabel, EditLabel
from services.types.labels import FeatureLabels, Label

callbacks = CallbackSet()

_AT = "page"
_HIDDEN = {"display": "none"}


def section_for() -> Component:
    """The section on the page of a feature; it fills in once the place is known."""
    body = [
        dcc.Store(id=Labels.EDITED),
        dcc.Store(id=Labels.KEYS),
        html.Div(id=Labels.ERROR),
        html.Div(loading(2), id=Labels.LIST),
        html.Div(
            [
                html.Div(label_form(_AT, ()), id=Labels.FORM_BOX),
                html.Div(id=Labels.FORM_ERROR),
                _save_row(),
            ],
            id=Labels.FORM,
            className="as-label-form",
        ),
        _skip_row(),
        html.Div(id=Labels.HISTORY),
    ]
    return section("Labels", body, id=Labels.SECTION)


def _save_row() -> Any:
    save = dmc.Button("Save label", id=Labels.SAVE, leftSection=icon("check", 16))
    cancel = dmc.Button("Cancel", id=Labels.CANCEL, variant="default", style=_HIDDEN)
    keys = dmc.Group([dmc.Kbd("Ctrl"), "+", dmc.Kbd("Enter")], gap=4)
    said = html.Span(id=Labels.SAID, className="as-muted as-small", role="status")
    buttons = dmc.Group([save, cancel, keys, said], gap="md")
    return dmc.Group([author_input(_AT), buttons], gap="md", align="end")


def _skip_row() -> Any:
    """The way out of the queue, or back into it."""
    reason = dmc.TextInput(
        id=Labels.REASON, placeholder="Why nobody should label it now", size="sm", w=260,
        **{"aria-label": "Reason to leave it out of the queue"},
    )  # fmt: skip
    skip = dmc.Button("Leave out", id=Labels.SKIP, variant="default", size="sm")
    back = dmc.Button("Put back", id=Labels.UNSKIP, variant="default", size="sm")
    said = dmc.Text(id=Labels.SKIPPED, size="sm")
    rows = [
        dmc.Group([reason, skip], id=Labels.SKIP_BOX, gap="sm"),
        dmc.Group([said, back], id=Labels.UNSKIP_BOX, gap="sm", style=_HIDDEN),
    ]
    return html.Div(rows, className="as-label-skip")


@callbacks.on(
    Output(Labels.LIST, "children"),
    Output(Labels.SKIPPED, "children"),
    Output(Labels.SKIP_BOX, "style"),
    Output(Labels.UNSKIP_BOX, "style"),
    Output(Labels.HISTORY, "children"),
    Output(label_field(_AT, "category"), "data"),
    Input(FeatureIds.PLACE, "data"),
    Input(FeatureIds.CHANGED, "data"),
    prevent_initial_call=False,
    errors_in=Labels.ERROR,
)
def show(place_data: Any, _changed: Any) -> tuple[Any, ...]:
    """What is said of the feature now."""
    sae_id, feature = _named(place_data)
    known = services().labels.feature(sae_id, feature)
    cards = label_cards(known, label_act) if known.labels else _nothing()
    why = known.marks.skipped
    boxes = ({}, _HIDDEN) if why is None else (_HIDDEN, {})
    said = "" if why is None else f"Left out of the queue: {why}"
    return cards, said, *boxes, _history(known), categories(sae_id)


def categories(sae_id: str) -> list[str]:
    """Those in use, the most frequent first."""
    used = services().labels.status(sae_id).by_category
    return sorted(filter(None, used), key=lambda name: (-used[name], name))


def _nothing() -> Any:
    text = "Nobody has said yet what this feature is."
    return empty_state("No label", text, icon_name="pen")


def _named(place_data: Any) -> tuple[str, int]:
    named = Place.parse(place_data).named
    if named is None:
        raise PreventUpdate
    return named


def _history(known: FeatureLabels) -> Any:
    if not known.history:
        return None
    texts = {label.label_id: label.text for label in known.labels}
    lines = change_lines(known.history, lambda c: undo_change(c.change_id), texts)
    head = html.Summary(f"History ({len(known.history):,})")
    return html.Details([head, html.Ul(lines, className="as-changes")], className="as-details")


@callbacks.on(
    Output(FeatureIds.CHANGED, "data", allow_duplicate=True),
    Output(Labels.FORM_BOX, "children"),
    Output(Labels.EDITED, "data"),
    Output(Labels.CANCEL, "style"),
    Output(Labels.SAID, "children"),
    Input(Labels.SAVE, "n_clicks"),
    State(label_field(_AT), "value"),
    State(label_field(_AT), "id"),
    State(Labels.EDITED, "data"),
    State(FeatureIds.PLACE, "data"),
    State(Shell.AUTHOR, "data"),
    running=[(Output(Labels.SAVE, "loading"), True, False)],
    errors_in=Labels.FORM_ERROR,
)
def save(
    clicks: Any, values: Any, ids: Any, edited: Any, place: Any, author: Any
) -> tuple[Any, ...]:
    """Keep what the form says: as a new label, or as the one that is edited."""
    if not clicks:
        raise PreventUpdate
    sae_id, feature = _named(place)
    fields = {**given(values, ids), "author": author_of(author)}
    if isinstance(edited, dict):
        kept = services().labels.edit(EditLabel.parse({**fields, **_version(edited)}))
    else:
        new = {**fields, "sae_id": sae_id, "feature_id": feature}
        kept = services().labels.add(AddLabel.parse(new))
    form = label_form(_AT, categories(sae_id))
    return changed(), form, None, _HIDDEN, f"Saved “{kept.text}”."


def _version(edited: dict[str, Any]) -> dict[str, Any]:
    """Which label is edited, as it was when it came into the form."""
    return {"label_id": edited.get("label_id"), "if_updated_at": edited.get("updated_at")}


@callbacks.on(
    Output(Labels.FORM_BOX, "children", allow_duplicate=True),
    Output(Labels.EDITED, "data", allow_duplicate=True),
    Output(Labels.CANCEL, "style", allow_duplicate=True),
    Output(Labels.SAID, "children", allow_duplicate=True),
    Input(label_act(do="edit"), "n_clicks"),
    Input(Labels.CANCEL, "n_clicks"),
    State(FeatureIds.PLACE, "data"),
    errors_in=Labels.FORM_ERROR,
)
def fill_in(_edits: Any, _cancel: Any, place: Any) -> tuple[Any, ...]:
    """A label into the form, or the form emptied."""
    button = clicked()
    sae_id, feature = _named(place)
    used = categories(sae_id)
    if button == Labels.CANCEL:
        return label_form(_AT, used), None, _HIDDEN, ""
    label = _label(services().labels.feature(sae_id, feature), button["label"])
    edited = {"label_id": label.label_id, "updated_at": label.updated_at.isoformat()}
    return label_form(_AT, used, label), edited, {}, f"Editing “{label.text}”."


def _label(known: FeatureLabels, label_id: str) -> Label:
    for label in known.labels:
        if label.label_id == label_id:
            return label
    raise PreventUpdate  # removed meanwhile; the list says so in a moment


@callbacks.on(
    Output(FeatureIds.CHANGED, "data", allow_duplicate=True),
    Input(label_act(do="choose"), "n_clicks"),
    Input(label_act(do="remove"), "n_clicks"),
    Input(undo_change(at=_AT), "n_clicks"),
    State(Shell.AUTHOR, "data"),
    errors_in=Labels.ERROR,
)
def act(_choose: Any, _remove: Any, _undo: Any, author: Any) -> int:
    """Choose or remove a label, or take a change back."""
    button = clicked()
    labels = services().labels
    if "change" in button:
        labels.undo(change_id=change_of(button), author=author_of(author))
    elif button["do"] == "choose":
        labels.choose(str(button["label"]), author_of(author))
    else:
        labels.remove(str(button["label"]), author_of(author))
    return changed()


@callbacks.on(
    Output(FeatureIds.CHANGED, "data", allow_duplicate=True),
    Input(Labels.SKIP, "n_clicks"),
    Input(Labels.UNSKIP, "n_clicks"),
    State(Labels.REASON, "value"),
    State(FeatureIds.PLACE, "data"),
    State(Shell.AUTHOR, "data"),
    errors_in=Labels.ERROR,
)
def skip(_skip: Any, _unskip: Any, reason: Any, place: Any, author: Any) -> int:
    """Leave the feature out of the queue, or put it back."""
    button = clicked()
    sae_id, feature = _named(place)
    if button == Labels.UNSKIP:
        services().labels.unskip(sae_id, feature, author_of(author))
    else:
        services().labels.skip(sae_id, feature, reason or "", author_of(author))
    return changed()


callbacks.clientside(
    clientside.KEYS,
    Output(Labels.KEYS, "data"),
    Input(Labels.FORM, "id"),
    State(Labels.SAVE, "id"),
    prevent_initial_call=False,
)
