"""The form of a label: on the page of a feature and in the queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time
from typing import Any

import dash_mantine_components as dmc
from dash import MATCH, Input, Output, ctx, html
from dash.exceptions import PreventUpdate

from components.labels import notes_view
from pages.callbacks import CallbackSet
from pages.label_ids import label_field, label_preview
from services.labels.requests import MAX_CATEGORY, MAX_NOTES, MAX_TEXT
from services.types.labels import Label

callbacks = CallbackSet()


def label_form(at: str, categories: Sequence[str], label: Label | None = None) -> dmc.Stack:
    """The fields of a label, filled in from `label`; `at` tells the forms apart."""
    text = dmc.TextInput(
        id=label_field(at, "text"), label="Label", value=label.text if label else "",
        placeholder="What makes it fire", attributes={"input": {"maxLength": MAX_TEXT}},
    )  # fmt: skip
    category = dmc.Autocomplete(
        id=label_field(at, "category"), label="Category", data=list(categories),
        value=(label and label.category) or "", placeholder="none", limit=20,
        attributes={"input": {"maxLength": MAX_CATEGORY}},
    )  # fmt: skip
    confidence = dmc.NumberInput(
        id=label_field(at, "confidence"), label="Confidence, 0 to 1", placeholder="not said",
        value=label.confidence if label and label.confidence is not None else "",
        min=0, max=1, step=0.1, decimalScale=3, hideControls=True,
    )  # fmt: skip
    pair = dmc.SimpleGrid([category, confidence], cols={"base": 1, "xs": 2}, spacing="sm")
    return dmc.Stack([text, pair, _notes(at, label.notes if label else "")], gap="sm")


def _notes(at: str, notes: str) -> html.Div:
    field = dmc.Textarea(
        id=label_field(at, "notes"), label="Notes (Markdown)", value=notes, autosize=True,
        minRows=2, maxRows=14, attributes={"input": {"maxLength": MAX_NOTES}},
        placeholder="Evidence, doubts, counterexamples",
    )  # fmt: skip
    view = notes_view(notes)
    view.id = label_preview(at)
    return html.Div([field, view])


def given(values: Any, ids: Any) -> dict[str, Any]:
    """The fields as requests take them; what was left open is None or empty."""
    if not isinstance(values, list) or not isinstance(ids, list):
        raise PreventUpdate
    fields = {
        id["name"]: value
        for id, value in zip(ids, values, strict=False)
        if isinstance(id, Mapping) and isinstance(id.get("name"), str)
    }
    confidence = fields.get("confidence")
    return {
        "text": fields.get("text") or "",
        "category": fields.get("category") or None,
        "notes": fields.get("notes") or "",
        "confidence": None if confidence == "" else confidence,
    }


def clicked() -> Any:
    """The id of the button that was clicked; nothing happens when it was only drawn."""
    if not ctx.triggered_id or not any(one["value"] for one in ctx.triggered):
        raise PreventUpdate
    return ctx.triggered_id


def change_of(button: Any) -> int:
    """The change that an undo button names."""
    change = button.get("change") if isinstance(button, Mapping) else None
    if not isinstance(change, int) or not 0 <= change < 2**63:
        raise PreventUpdate
    return change


def changed() -> int:
    """Anything new: what a store is set to so that others look again."""
    return int(1000 * time())


callbacks.clientside(
    "notes => (notes || '').replace(/!+\\[/g, '[')",
    Output(label_preview(MATCH), "children"),
    Input(label_field(MATCH, "notes"), "value"),
)
