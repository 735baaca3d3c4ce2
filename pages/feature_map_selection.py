"""What is chosen on the map, as a table: by a loop around points, or by naming a feature."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
import numpy as np
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from components.families import spans
from components.feature_links import compare_href, features_href
from components.feature_map import selection_table
from components.shell import section
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_map_ids import Map
from pages.feature_map_state import MapState
from services.errors import InvalidArgument, NotFound
from services.features.requests import FeatureTableQuery
from services.types.features import FeatureMap, FeatureTablePage

callbacks = CallbackSet()

_LISTED = 25
_COMPARED = 6
_MOST_IN_ADDRESS = 100_000  # characters: what the table's address takes


def selection_section() -> Any:
    """The table of the chosen features; features can be named where a loop cannot be drawn."""
    around = dmc.Group(
        [
            dmc.NumberInput(
                id=Map.AROUND, label="Around feature", min=0, allowDecimal=False, hideControls=True,
                w=130,
            ),
            dmc.NumberInput(
                id=Map.AROUND_N, label="How many", value=20, min=2, max=1000, allowDecimal=False,
                w=110,
            ),
            dmc.Button("Choose", id=Map.AROUND_GO, variant="default"),
            dmc.Button("Clear", id=Map.CLEAR, variant="subtle"),
        ],
        align="end", gap="sm",
    )  # fmt: skip
    note = "Draw a loop on the map, or choose the points nearest to a feature."
    body = [
        around,
        html.Div(id=Map.AROUND_ERROR),
        html.Div(id=Map.SELECTION_ERROR),
        html.Div(_nothing(), id=Map.SELECTION, role="status", className="as-selection"),
    ]
    return section("Chosen features", body, note=note)


def _nothing() -> Any:
    return dmc.Text("None are chosen.", className="as-muted")


@callbacks.on(
    Output(Map.CHOSEN, "data", allow_duplicate=True),
    Input(Map.AROUND_GO, "n_clicks"),
    State(Map.AROUND, "value"),
    State(Map.AROUND_N, "value"),
    State(Map.VIEW, "data"),
    errors_in=Map.AROUND_ERROR,
)
def choose_around(clicks: Any, feature: Any, n: Any, view: Any) -> dict[str, Any]:
    """The points nearest to that of a feature, itself included."""
    state = MapState.parse(view)
    if not clicks or state.sae is None:
        raise PreventUpdate
    if not isinstance(feature, int) or not isinstance(n, int) or n < 1:
        raise InvalidArgument("write the number of a feature, and how many points to choose")
    found = services().maps.map(state.map_query(state.sae))
    if found is None:
        raise NotFound("this map was not made yet: make it first, or choose PCA")
    return {"ids": spans(nearest_points(found, feature, n)), "by": "around"}


def nearest_points(found: FeatureMap, feature: int, n: int) -> list[int]:
    """The `n` features whose points are nearest to that of one, which comes first.

    Raises:
        NotFound: the map has no such feature.
    """
    at = np.flatnonzero(found.features == feature)
    if not len(at):
        raise NotFound(
            f"the map has no feature {feature}: {len(found.features):,} have a direction"
        )
    far = np.hypot(found.x - found.x[at[0]], found.y - found.y[at[0]])
    far[at[0]] = -1
    nearest: list[int] = found.features[np.argsort(far, kind="stable")[:n]].tolist()
    return nearest


@callbacks.on(
    Output(Map.SELECTION, "children"),
    Input(Map.CHOSEN, "data"),
    State(Map.VIEW, "data"),
    prevent_initial_call=False,
    errors_in=Map.SELECTION_ERROR,
)
def show_chosen(chosen: Any, view: Any) -> Any:
    """The chosen features, those that fire most first."""
    state, ids = MapState.parse(view), _ids(chosen)
    if state.sae is None or ids is None:
        return _nothing()
    found = services().features.page(
        FeatureTableQuery.parse(
            {"sae_id": state.sae, "ids": ids, "sort": "n", "descending": True, "limit": _LISTED}
        )
    )
    return [_line(found, ids), selection_table(found.sae_id, found.items)]


def _line(found: FeatureTablePage, ids: str) -> html.Div:
    some = f", the first {len(found.items)} listed" if found.total > len(found.items) else ""
    few = [(found.sae_id, line.feature_id) for line in found.items[:_COMPARED]]
    table: Any = dcc.Link("Open as a table", href=features_href(found.sae_id, ids=ids))
    if len(ids) > _MOST_IN_ADDRESS:
        table = html.Span("too many for a table of their own: choose fewer", className="as-muted")
    return html.Div(
        [
            html.B(f"{found.total:,} feature{'s' * (found.total != 1)} chosen{some}"),
            table,
            dcc.Link(f"Compare the first {len(few)}", href=compare_href(*few))
            if len(few) > 1
            else None,
        ],
        className="as-selection-line",
    )


def _ids(chosen: Any) -> str | None:
    ids = chosen.get("ids") if isinstance(chosen, dict) else None
    return ids if isinstance(ids, str) and ids else None
