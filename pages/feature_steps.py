"""From a feature to others; and what is chosen on its page, into its address and its sections."""

from __future__ import annotations

from secrets import randbelow
from typing import Any

from dash import Input, Output, State, set_props
from dash.exceptions import PreventUpdate

from components.feature_links import compare_href, feature_href
from components.ids import Shell
from pages import clientside_feature as browser
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import (
    FeatureIds,
    figure_of,
    lines_of,
    part,
    show_group,
    show_range,
    view_field,
)
from pages.feature_place import view_at
from pages.feature_state import PARTS, EvidenceState, Place
from services.features.requests import FeatureTableQuery

callbacks = CallbackSet()


@callbacks.on(
    Output(FeatureIds.SINK, "data"),
    Input(FeatureIds.RANDOM, "n_clicks"),
    State(FeatureIds.PLACE, "data"),
)
def go_anywhere(clicks: Any, place: Any) -> Any:
    """To any feature that fires; to any at all where no text was read."""
    at = Place.parse(place)
    view = view_at(place)
    if not clicks or view is None:
        raise PreventUpdate
    asked = {"sae_id": view.sae_id, "store_id": at.store, "limit": 1}
    if view.source is not None:
        asked["dead"] = False
    table = services().features
    total = table.page(FeatureTableQuery.parse(asked)).total
    if not total:
        raise PreventUpdate
    (line,) = table.page(FeatureTableQuery.parse({**asked, "offset": randbelow(total)})).items
    _go(feature_href(view.sae_id, line.feature_id, store=at.store))
    return None


@callbacks.on(
    Output(FeatureIds.SINK, "data", allow_duplicate=True),
    Input(FeatureIds.COMPARE, "n_clicks"),
    Input(FeatureIds.OTHER, "n_submit"),
    State(FeatureIds.OTHER, "value"),
    State(FeatureIds.PLACE, "data"),
)
def go_compare(clicks: Any, entered: Any, other: Any, place: Any) -> Any:
    """To this feature beside another one."""
    named = Place.parse(place).named
    if named is None or not (clicks or entered):
        raise PreventUpdate
    number = Place.parse({"feature": other}).feature
    others = [] if number is None or number == named[1] else [(named[0], number)]
    _go(compare_href(named, *others))
    return None


def _go(href: str) -> None:
    set_props(Shell.LOCATION, {"href": href})


callbacks.clientside(
    browser.CHOOSE,
    Output(FeatureIds.VIEW, "data"),
    Input(view_field(), "value"),
    Input(figure_of(), "clickData"),
    Input(show_range(), "n_clicks"),
    Input(show_group(), "n_clicks"),
    Input(lines_of(), "opened"),
    Input(FeatureIds.AGAIN, "n_clicks"),
    Input(FeatureIds.RESET, "n_clicks"),
    Input(FeatureIds.DOCUMENT, "opened"),
    State(FeatureIds.VIEW, "data"),
)
callbacks.clientside(
    browser.split(PARTS),
    Output(part(), "data"),
    Input(FeatureIds.VIEW, "data"),
    State(part(), "data"),
    State(part(), "id"),
)
callbacks.clientside(
    browser.mirror(list(EvidenceState.model_fields)),
    Output(FeatureIds.SINK, "data", allow_duplicate=True),
    Input(FeatureIds.VIEW, "data"),
)
