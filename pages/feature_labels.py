"""What a feature is called: its labels beside each other, the editor, the history."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from components.feedback import loading
from components.shell import section
from pages.callbacks import CallbackSet
from pages.label_ids import Labels

callbacks = CallbackSet()


def section_for() -> Component:
    """The section on the page of a feature; it fills in once the place is known."""
    body = [html.Div(id=Labels.ERROR), html.Div(loading(), id=Labels.LIST)]
    return section("Labels", body, id=Labels.SECTION)
