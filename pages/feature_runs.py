"""The runs in which a feature fired, and the way back to them."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, Patch, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from components.feature_runs import feature_run_lines, runs_href
from components.feedback import empty_state, loading
from components.shell import section
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import FeatureIds
from pages.feature_state import Place
from pages.filters import Filters
from pages.label_ids import FeatureRuns

callbacks = CallbackSet()

_SHOWN = 10
_HIDDEN = {"display": "none"}


def section_for() -> Component:
    """The section on the page of a feature; it fills in once the place is known."""
    above = dmc.NumberInput(
        id=FeatureRuns.ABOVE, placeholder="Fired above 0", hideControls=True, debounce=400, w=140,
        **{"aria-label": "Activation that the feature exceeded"},
    )  # fmt: skip
    older = dmc.Button("Load older", id=FeatureRuns.MORE, variant="default", style=_HIDDEN)
    body = [
        dcc.Store(id=FeatureRuns.CURSOR),
        html.Div(id=FeatureRuns.ERROR),
        html.Div(loading(), id=FeatureRuns.NOTHING),
        html.Ul(id=FeatureRuns.ITEMS, className="as-recent", **{"aria-label": "Runs"}),
        dmc.Group([older, html.Span(id=FeatureRuns.ALL)], gap="md"),
    ]
    return section("In runs", body, actions=above, id=FeatureRuns.SECTION)


@callbacks.on(
    Output(FeatureRuns.ITEMS, "children"),
    Output(FeatureRuns.NOTHING, "children"),
    Output(FeatureRuns.CURSOR, "data"),
    Output(FeatureRuns.MORE, "style"),
    Output(FeatureRuns.ALL, "children"),
    Input(FeatureIds.PLACE, "data"),
    Input(FeatureRuns.ABOVE, "value"),
    prevent_initial_call=False,
    errors_in=FeatureRuns.ERROR,
)
def newest(place_data: Any, above: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The newest runs in which the feature fired."""
    filters = _filters(place_data, above)
    lines, cursor = _page(filters, None)
    nothing = None if lines else _nothing(filters.above)
    return lines, nothing, cursor, _more(cursor), _all(filters) if lines else None


@callbacks.on(
    Output(FeatureRuns.ITEMS, "children", allow_duplicate=True),
    Output(FeatureRuns.CURSOR, "data", allow_duplicate=True),
    Output(FeatureRuns.MORE, "style", allow_duplicate=True),
    Input(FeatureRuns.MORE, "n_clicks"),
    State(FeatureIds.PLACE, "data"),
    State(FeatureRuns.ABOVE, "value"),
    State(FeatureRuns.CURSOR, "data"),
    running=[(Output(FeatureRuns.MORE, "loading"), True, False)],
    errors_in=FeatureRuns.ERROR,
)
def older(clicks: Any, place_data: Any, above: Any, cursor: Any) -> tuple[Any, Any, Any]:
    """The runs that come after those on the page."""
    if not clicks or not cursor:
        raise PreventUpdate
    lines, further = _page(_filters(place_data, above), cursor)
    items = Patch()
    items.extend(lines)
    return items, further, _more(further)


def _filters(place_data: Any, above: Any) -> Filters:
    """The runs of the place's feature, above what was typed."""
    named = Place.parse(place_data).named
    if named is None:
        raise PreventUpdate
    return Filters.parse({"sae": named[0], "feature": named[1], "above": above})


def _page(filters: Filters, cursor: Any) -> tuple[list[html.Li], str | None]:
    sae_id, feature = str(filters.sae), int(filters.feature or 0)
    found = services().runs.list(filters.query(cursor, limit=_SHOWN))
    names = [item.request_id for item in found.items]
    strengths = services().runs.strengths(sae_id, feature, names)
    return feature_run_lines(found.items, strengths, sae_id, feature), found.next_cursor


def _more(cursor: str | None) -> dict[str, str]:
    return {} if cursor else _HIDDEN


def _all(filters: Filters) -> dcc.Link:
    href = runs_href(str(filters.sae), int(filters.feature or 0), filters.above)
    return dcc.Link("These in the list of runs", href=href)


def _nothing(above: float | None) -> Any:
    if above is not None:
        text = f"In no run it exceeded {above:g}. A smaller value may find some."
        return empty_state("No run above this value", text, icon_name="search")
    link = dcc.Link("Go to the playground", href="/")
    text = "Run a text in the playground: each run in which it fires is listed here."
    return empty_state("It has fired in no run", text, link, icon_name="runs")
