"""What happens on the panel of a run: showing, drawing, rows, links between URL and clicks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import Input, Output, State, no_update, set_props
from dash.exceptions import PreventUpdate

from components.grids import row_data
from components.ids import Shell
from pages import clientside, draw
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_names import names_of
from pages.ids import Panel, choose
from pages.panel import head, sae_choice, visible
from pages.view import View
from services.types import ActivationRow

callbacks = CallbackSet()

_BLOCK = 500  # most rows that one request of the grid may fetch


@callbacks.on(
    Output(Panel.HEAD, "children"),
    Output(Panel.EMPTY, "style"),
    Output(Panel.LIVE_SECTION, "style"),
    Output(Panel.RESULT, "style"),
    Output(Panel.FEATURES, "style"),
    Output(Panel.SAE_CHOICE, "children"),
    Output(Panel.SHOWN, "data"),
    Output(Panel.TICK, "disabled"),
    Input(Panel.RUN, "data"),
    Input(Panel.ENDED, "data"),
    State(Panel.VIEW, "data"),
    State(Panel.PATH, "data"),
    prevent_initial_call=False,
    errors_in=Panel.ERROR,
)
def show(run_id: Any, _ended: Any, view_data: Any, path: Any) -> tuple[Any, ...]:
    """The run's frame: the live part while it is under way, the results once it is final."""
    view = View.parse({**View.parse(view_data).as_data(), "run": run_id})
    if view.run is None:
        return None, visible(True), *[visible(False)] * 3, None, None, True
    run = services().runs.view(view.run)
    final, timeline = run.summary.status.is_final, run.timeline(view.sae)
    if not final:
        set_props(Panel.FOLLOWED, {"data": {"run": view.run, "n": 0}})
    sections = [visible(False), visible(not final), visible(final), visible(timeline is not None)]
    shown = {"run": view.run, "final": final, "sae": timeline and timeline.sae_id}
    return head(run.summary, path), *sections, sae_choice(run, view), shown, final


@callbacks.on(
    *(Output(part.box, "children") for part in draw.TOKEN_PARTS),
    Output(Panel.DRAWN, "data"),
    Input(Panel.SHOWN, "data"),
    Input(Panel.VIEW, "data"),
    State(Panel.DRAWN, "data"),
    State(Shell.SCHEME, "computedColorScheme"),
    errors_in=Panel.ERROR,
)
def redraw_tokens(shown: Any, view_data: Any, drawn_data: Any, scheme: Any) -> list[Any]:
    """The token strip and the downloads, which must not wait for the figures."""
    return _redrawn(draw.TOKEN_PARTS, shown, view_data, drawn_data, scheme)


@callbacks.on(
    *(Output(part.box, "children") for part in draw.FIGURE_PARTS),
    Output(Panel.DRAWN_FIGURES, "data"),
    Input(Panel.SHOWN, "data"),
    Input(Panel.VIEW, "data"),
    State(Panel.DRAWN_FIGURES, "data"),
    State(Shell.SCHEME, "computedColorScheme"),
    errors_in=Panel.ERROR,
)
def redraw_figures(shown: Any, view_data: Any, drawn_data: Any, scheme: Any) -> list[Any]:
    """The figures below the strip."""
    return _redrawn(draw.FIGURE_PARTS, shown, view_data, drawn_data, scheme)


def _redrawn(
    parts: Sequence[draw.Part], shown: Any, view_data: Any, drawn_data: Any, scheme: Any
) -> list[Any]:
    """The parts of a finished run that the change of the view touches, then the view drawn."""
    view, drawn = View.parse(view_data), View.parse(drawn_data)
    if not isinstance(shown, dict) or not shown.get("final") or shown.get("run") != view.run:
        raise PreventUpdate
    run = services().runs.view(str(view.run))
    drawing = draw.Drawing(run, view, "dark" if scheme == "dark" else "light")
    drawn_parts = [p.draw(drawing) if p.is_stale(view, drawn) else no_update for p in parts]
    return [*drawn_parts, view.as_data()]


@callbacks.on(
    Output(Panel.ROWS, "getRowsResponse"),
    Output(Panel.ROWS_TOTAL, "children"),
    Input(Panel.ROWS, "getRowsRequest"),
    State(Panel.VIEW, "data"),
    State(Panel.SHOWN, "data"),
)
def fetch_rows(request: Any, view_data: Any, shown: Any) -> tuple[dict[str, Any], str]:
    """The block of rows that the grid has scrolled to."""
    view = View.parse(view_data)
    if view.run is None or not isinstance(shown, dict) or not shown.get("sae"):
        return {"rowData": [], "rowCount": 0}, ""
    query = view.row_query(view.sae or shown["sae"], **_paging(request))
    rows, total = services().runs.rows(view.run, query)
    names = _names(rows)
    return {"rowData": row_data(rows, names), "rowCount": total}, f"{total:,} rows"


def _names(rows: Sequence[ActivationRow]) -> dict[tuple[str, int], str]:
    """The labels of the rows' features, by SAE and number."""
    features: dict[str, set[int]] = {}
    for row in rows:
        features.setdefault(row.sae_id, set()).add(row.feature_id)
    named = {sae_id: names_of(sae_id, found) for sae_id, found in features.items()}
    return {(sae_id, f): text for sae_id, names in named.items() for f, text in names.items()}


def _paging(request: Any) -> dict[str, Any]:
    """Offset, limit and order of the grid's request; what it asks wrongly is refused later."""
    asked = request if isinstance(request, dict) else {}
    start, end = asked.get("startRow", 0), asked.get("endRow", 100)
    sort: Any = next(iter(asked.get("sortModel") or []), {})
    numbers = isinstance(start, int) and isinstance(end, int)
    paging = {"offset": start, "limit": min(end - start, _BLOCK) if numbers else end}
    if isinstance(sort, dict) and "colId" in sort:
        paging |= {"sort": sort["colId"], "descending": sort.get("sort") == "desc"}
    return paging


callbacks.clientside(
    clientside.RUN_OF_VIEW,
    Output(Panel.RUN, "data"),
    Input(Panel.VIEW, "data"),
    State(Panel.RUN, "data"),
)
callbacks.clientside(
    clientside.MIRROR,
    Output(Panel.SINK, "data"),
    Input(Panel.VIEW, "data"),
    State(Panel.PATH, "data"),
)
callbacks.clientside(
    clientside.REDUCE,
    Output(Panel.VIEW, "data", allow_duplicate=True),
    Input(Panel.STRIP, "clicked"),
    Input(Panel.STRIP, "hoverFeatureClicked"),
    Input(Panel.TOP_FEATURES, "clickData", allow_optional=True),
    Input(Panel.HEATMAP, "clickData", allow_optional=True),
    Input(Panel.DELTAS, "clickData", allow_optional=True),
    Input(Panel.FEATURE_CLEAR, "n_clicks", allow_optional=True),
    Input(Panel.SHOW_SPECIAL, "checked"),
    Input(choose(), "value"),
    State(Panel.VIEW, "data"),
    State(Panel.SHOWN, "data"),
)
callbacks.clientside(
    clientside.SELECT,
    Output(Panel.STRIP, "selected"),
    Output(Panel.STRIP, "showSpecial"),
    Input(Panel.VIEW, "data"),
)
callbacks.clientside(
    clientside.REFETCH,
    Output(Panel.SINK, "data", allow_duplicate=True),
    Input(Panel.SHOWN, "data"),
    Input(Panel.VIEW, "data"),
    State(Panel.ROWS, "id"),
)
callbacks.clientside(
    clientside.FOLLOW_LINKS,
    Output(Panel.SINK, "data", allow_duplicate=True),
    Input(Panel.VIEW, "data"),
    State(Panel.VIEW, "id"),
    prevent_initial_call="initial_duplicate",
)
