"""The map of an SAE's features, with what is chosen on it and the families under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html

from components.feature_map import FeatureCanvas, map_data, map_legend, short_labels
from components.feature_tabs import feature_tabs
from components.feedback import empty_state, loading
from components.shell import page, section
from pages import clientside_maps as browser
from pages.callbacks import CallbackSet
from pages.choose_sae import sae_select, usual_sae
from pages.context import services
from pages.feature_map_families import families_section
from pages.feature_map_ids import Families, Map, map_field
from pages.feature_map_job import unmade
from pages.feature_map_selection import selection_section
from pages.feature_map_state import MapState
from services.errors import ActiscopeError, NotFound, Unavailable
from services.maps.colours import COLOURINGS
from services.maps.requests import ColourQuery
from services.types import SaeCard
from services.types.features import FeatureMap, MapColours

callbacks = CallbackSet()

PATH = "/features/map"
_LOOK_MS = 1000
_HIDDEN = {"display": "none"}
_WITHOUT_STORE = "decoder_norm"


def layout(**query: Any) -> html.Div:
    """The page, with what its query string has chosen."""
    state = MapState.parse(query)
    try:
        cards = services().registry.saes()
        usual = state.sae or usual_sae(cards)
    except ActiscopeError as error:
        return page("Map of features", empty_state("No SAEs can be listed", error.message))
    state = state.model_copy(update={"sae": usual})
    chosen = {"ids": state.ids, "by": "address"} if state.ids else None
    body = [
        feature_tabs("map", state.sae),
        dcc.Store(id=Map.VIEW, data=state.model_copy(update={"ids": None}).as_data()),
        dcc.Store(id=Map.CHOSEN, data=chosen),
        *(dcc.Store(id=i) for i in (Map.DRAWN, Map.SINK, Map.MADE, Families.ASKED)),
        dcc.Interval(id=Map.TICK, interval=_LOOK_MS, disabled=True),
        section("Map", [*_controls(state, cards), html.Div(id=Map.ERROR), *_map()]),
        selection_section(),
        families_section(state),
    ]
    return page("Map of features", body)


def _controls(state: MapState, cards: Sequence[SaeCard]) -> list[Any]:
    is_umap = state.method == "umap"
    sae = sae_select(Map.SAE, cards, state.sae, className="as-grow")
    kinds = [{"value": "pca", "label": "PCA"}, {"value": "umap", "label": "UMAP"}]
    method = html.Div(
        [
            html.Span("Points", className="as-label", id="map-method-label"),
            dmc.SegmentedControl(
                id=map_field("method"), data=kinds, value=state.method or "pca",
                **{"aria-labelledby": "map-method-label"},
            ),
        ]
    )  # fmt: skip
    colour = dmc.Select(
        id=map_field("colour"), label="Colour", value=state.colour, searchable=True, clearable=True,
        data=[{"value": name, "label": title} for name, title in COLOURINGS],
        placeholder="Density", className="as-grow", clearButtonProps={"aria-label": "By density"},
    )  # fmt: skip
    return [
        dmc.Group([sae, method, colour], align="end", gap="sm"),
        html.Div(_umap_options(state), id=Map.UMAP, style={} if is_umap else _HIDDEN),
    ]


def _umap_options(state: MapState) -> Any:
    fields = (
        ("n_neighbors", "Neighbours", state.n_neighbors,
         {"min": 2, "max": 20, "placeholder": "15"}),
        ("min_dist", "Least distance", state.min_dist,
         {"min": 0, "max": 1, "step": 0.05, "placeholder": "0.1"}),
        ("seed", "Seed", state.seed, {"min": 0, "max": 2**32 - 1, "placeholder": "0"}),
    )  # fmt: skip
    return dmc.Group(
        [
            dmc.NumberInput(
                id=map_field(name), label=label, value="" if value is None else value, w=120,
                debounce=400, allowNegative=False, allowDecimal=name == "min_dist", **more,
            )
            for name, label, value, more in fields
        ],
        gap="sm", mt="sm",
    )  # fmt: skip


def _map() -> list[Any]:
    return [
        html.Div(loading(), id=Map.STATE),
        html.Div(
            [FeatureCanvas(Map.GRAPH), html.Div(id=Map.LEGEND)],
            id=Map.BOX,
            className="as-map",
            style=_HIDDEN,
        ),
    ]


@callbacks.on(
    Output(Map.GRAPH, "points"),
    Output(Map.GRAPH, "legend"),
    Output(Map.GRAPH, "labels"),
    Output(Map.LEGEND, "children"),
    Output(Map.BOX, "style"),
    Output(Map.STATE, "children"),
    Output(Map.UMAP, "style"),
    Output(Map.TICK, "disabled"),
    Input(Map.DRAWN, "data"),
    errors_in=Map.ERROR,
)
def draw(drawn: Any) -> tuple[Any, ...]:
    """The points; or, for a UMAP that was not made, what would make it."""
    state = MapState.parse(drawn)
    options, nothing = ({} if state.method == "umap" else _HIDDEN), (None, None, None, None)
    if state.sae is None:
        empty = empty_state("No SAEs yet", "Features are those of an SAE: add one first.")
        return *nothing, _HIDDEN, empty, options, True
    query = state.map_query(state.sae)
    found = services().maps.map(query)
    if found is None:
        job = services().maps.making(query)
        is_made = job is not None and not job.status.is_final
        return *nothing, _HIDDEN, unmade(query, job), options, not is_made
    colours, note = _colours(state.colour_query(state.sae), by_choice=state.colour is not None)
    points, legend = map_data(found, colours)
    labels = short_labels(_labels(state.sae))
    shown = map_legend(found, colours)
    return points, legend, labels, shown, {}, _about(found, note), options, True


def _colours(query: ColourQuery, *, by_choice: bool) -> tuple[MapColours, str | None]:
    """What was asked for; where nothing was chosen, something that is known."""
    maps = services().maps
    try:
        return maps.colours(query), None
    except (NotFound, Unavailable) as error:
        other = "n" if isinstance(error, Unavailable) else _WITHOUT_STORE
        if query.by == other:
            raise
        note = error.message if by_choice else None
    for by in (other, "labelled"):
        try:
            return maps.colours(query.model_copy(update={"by": by})), note
        except (NotFound, Unavailable):
            continue
    raise NotFound("there is nothing to colour the map by")


def _labels(sae_id: str) -> dict[int, str]:
    try:
        marks = services().labels.snapshot(sae_id).marks
    except ActiscopeError:  # the map is there without them
        return {}
    return {id: mark.label.text for id, mark in marks.items() if mark.label is not None}


def _about(found: FeatureMap, note: str | None) -> Any:
    n = len(found.features)
    text = f"{n:,} features. Click a point to open its page; draw a loop to choose some."
    if found.explained is not None:
        first, second = (f"{100 * share:.1f} %" for share in found.explained)
        text += f" Across and up: the first two components, {first} and {second} of the variance."
    said = [dmc.Text(text, size="sm", className="as-muted")]
    if note:
        said.append(dmc.Text(f"Coloured otherwise: {note}", size="sm"))
    return html.Div(said, role="status", className="as-map-said")


callbacks.clientside(
    browser.COLLECT,
    Output(Map.VIEW, "data"),
    Input(map_field(), "value"),
    Input(Map.SAE, "value"),
    State(Map.VIEW, "data"),
)
callbacks.clientside(
    browser.PARTS,
    Output(Map.DRAWN, "data"),
    Output(Families.ASKED, "data"),
    Input(Map.VIEW, "data"),
    Input(Map.MADE, "data"),
    State(Map.DRAWN, "data"),
    State(Families.ASKED, "data"),
    prevent_initial_call=False,
)
callbacks.clientside(
    browser.LASSO,
    Output(Map.CHOSEN, "data"),
    Input(Map.GRAPH, "selected"),
    Input(Map.CLEAR, "n_clicks"),
    State(Map.CHOSEN, "data"),
)
callbacks.clientside(
    "(chosen) => (chosen && chosen.ids) || null",
    Output(Map.GRAPH, "chosen"),
    Input(Map.CHOSEN, "data"),
    prevent_initial_call=False,
)
callbacks.clientside(
    browser.OPEN,
    Output(Map.SINK, "data"),
    Input(Map.GRAPH, "opened"),
    State(Map.VIEW, "data"),
)
callbacks.clientside(
    browser.MIRROR,
    Output(Map.SINK, "data", allow_duplicate=True),
    Input(Map.VIEW, "data"),
    Input(Map.CHOSEN, "data"),
    prevent_initial_call="initial_duplicate",
)
