"""The runs in which a feature fired, and the way back to them."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from components.feedback import loading
from components.shell import section
from pages.callbacks import CallbackSet
from pages.label_ids import FeatureRuns

callbacks = CallbackSet()


def section_for() -> Component:
    """The section on the page of a feature; it fills in once the place is known."""
    body = [html.Div(id=FeatureRuns.ERROR), html.Div(loading(), id=FeatureRuns.ITEMS)]
    return section("In runs", body, id=FeatureRuns.SECTION)
