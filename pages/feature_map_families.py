"""Families of features: a threshold with what it makes, the families, the kept sets."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import dash_mantine_components as dmc
from dash import Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from components.extractions import new_button
from components.families import family_list, kept_list, sizes_line, spans
from components.feedback import empty_state, loading
from components.icons import icon
from components.ids import Shell
from components.shell import section
from pages.author import author_of
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_map_ids import Families, Map, family_on_map, map_field, remove_set
from pages.feature_map_state import MapState
from pages.label_form import changed
from pages.typed import typed
from services.errors import InvalidArgument, NotFound
from services.maps.requests import KeepFamilies
from services.types.features import FamilySet

callbacks = CallbackSet()

_FIRST = 20
_HIDDEN = {"display": "none"}


def families_section(state: MapState) -> Any:
    """Controls, families, kept sets."""
    threshold = 0.7 if state.threshold is None else state.threshold
    marks = [{"value": value, "label": f"{value:.1f}"} for value in (0.3, 0.5, 0.7, 0.9)]
    slider = html.Div(
        [
            html.Span("Least cosine of neighbours", className="as-label", id="families-slider"),
            dmc.Slider(
                id=map_field("threshold"), value=threshold, min=0.1, max=1, step=0.01, marks=marks,
                precision=2, updatemode="drag", mb="lg",
                thumbLabel="Least cosine of neighbours",
            ),
        ],
        className="as-grow",
    )  # fmt: skip
    size = dmc.NumberInput(
        id=map_field("min_size"), label="Least features", min=2, max=100_000, allowDecimal=False,
        value="" if state.min_size is None else state.min_size, placeholder="2", w=130,
        debounce=400,
    )  # fmt: skip
    note = (
        "Features are joined when each is among the other's 20 nearest directions and their cosine "
        "is at least this; a family is what hangs together. Its tokens are those that most of its "
        "members promote."
    )
    body = [
        dmc.Group([slider, size], align="end", gap="lg"),
        html.Div(id=Families.SIZES, role="status", className="as-families-sizes"),
        html.Div(id=Families.ERROR),
        html.Div(loading(), id=Families.LIST),
        html.Div(
            dmc.Button("More families", id=Families.MORE, variant="default", mt="sm"),
            id=Families.BOX, style=_HIDDEN,
        ),
        dcc.Store(id=Families.SHOWN, data=_FIRST),
        dcc.Store(id=Families.CHANGED),
        *_keeping(),
    ]  # fmt: skip
    return section("Families", body, note=note)


def _keeping() -> list[Any]:
    form = dmc.Group(
        [
            dmc.TextInput(id=Families.NAME, label="Name", className="as-grow"),
            dmc.Button("Keep these families", id=Families.KEEP, variant="default"),
        ],
        align="end", gap="sm",
    )  # fmt: skip
    return [
        html.H3("Kept", className="as-option-title"),
        form,
        html.Div(id=Families.KEEP_ERROR),
        html.Div(id=Families.KEPT),
    ]


@callbacks.on(
    Output(Families.SIZES, "children"),
    Output(Families.LIST, "children"),
    Output(Families.BOX, "style"),
    Input(Families.ASKED, "data"),
    Input(Families.SHOWN, "data"),
    errors_in=Families.ERROR,
)
def show(asked: Any, shown: Any) -> tuple[Any, Any, Any]:
    """The families, the largest first; or those of a kept set."""
    state = MapState.parse(asked)
    if state.sae is None:
        return None, None, _HIDDEN
    n = shown if isinstance(shown, int) else _FIRST
    if state.set is not None:
        found = services().maps.kept_set(state.set)
        return _of_kept(found), *_listed(found, n)
    try:
        sizes = services().maps.sizes(state.families_query(state.sae))
    except NotFound as error:
        button = new_button("Start an extraction", sae=state.sae)
        nothing = empty_state("No families yet", error.message, button, icon_name="features")
        return None, nothing, _HIDDEN
    found = services().maps.families(state.families_query(state.sae))
    head = [sizes_line(sizes), _exports(state)] if sizes.n_families else sizes_line(sizes)
    return head, *_listed(found, n)


def _listed(found: FamilySet, n: int) -> tuple[Any, Any]:
    rest = len(found.families) - n
    return family_list(found.sae_id, found.families[:n], family_on_map), {} if rest > 0 else _HIDDEN


def _of_kept(found: FamilySet) -> Any:
    text = f"The kept set “{found.name}”, cosine {found.parameters.get('threshold')}."
    link = dcc.Link("Back to the live families", href=_address(found.sae_id))
    return html.Div([dmc.Text(text, fw=600), link], className="as-selection-line")


def _exports(state: MapState) -> html.Div:
    query = state.families_query(str(state.sae))
    asked = urlencode({"threshold": query.threshold, "min_size": query.min_size})
    address = f"/api/v1/saes/{quote(query.sae_id)}/families?{asked}"
    links = [
        html.A([icon("download", 16), label], href=f"{address}&format={kind}", download=name)
        for label, kind, name in (("CSV", "csv", ""), ("JSON", "json", "families.json"))
    ]
    return html.Div(links, className="as-exports")


@callbacks.on(
    Output(Families.SHOWN, "data"),
    Input(Families.MORE, "n_clicks"),
    Input(Families.ASKED, "data"),
    State(Families.SHOWN, "data"),
)
def more(_clicks: Any, _asked: Any, shown: Any) -> int:
    """Twice as many; the first ones again when others are asked for."""
    if ctx.triggered_id != Families.MORE:
        if shown == _FIRST:
            raise PreventUpdate
        return _FIRST
    return 2 * shown if isinstance(shown, int) else _FIRST


@callbacks.on(
    Output(Map.CHOSEN, "data", allow_duplicate=True),
    Input(family_on_map(), "n_clicks"),
    State(Families.ASKED, "data"),
)
def choose_family(clicks: Any, asked: Any) -> dict[str, Any]:
    """The members of a family, chosen on the map."""
    state, of = MapState.parse(asked), ctx.triggered_id
    if state.sae is None or not isinstance(of, dict) or not any(clicks):
        raise PreventUpdate
    maps = services().maps
    found = (
        maps.kept_set(state.set) if state.set else maps.families(state.families_query(state.sae))
    )
    members = [f.features for f in found.families if f.number == of["number"]]
    if not members:
        raise PreventUpdate
    return {"ids": spans(members[0]), "by": "family"}


@callbacks.on(
    Output(Families.CHANGED, "data"),
    Output(Families.NAME, "value"),
    Input(Families.KEEP, "n_clicks"),
    State(Families.NAME, "value"),
    State(Families.ASKED, "data"),
    State(Shell.AUTHOR, "data"),
    errors_in=Families.KEEP_ERROR,
)
def keep(clicks: Any, name: Any, asked: Any, author: Any) -> tuple[int, str]:
    """Keep the families that are shown under a name."""
    state = MapState.parse(asked)
    if not clicks or state.sae is None:
        raise PreventUpdate
    if typed(name) is None:
        raise InvalidArgument("give the families a name to keep them under", field="name")
    given = state.families_query(state.sae).model_dump()
    given |= {"name": typed(name), "author": author_of(author)}
    services().maps.keep(KeepFamilies.parse(given))
    return changed(), ""


@callbacks.on(
    Output(Families.CHANGED, "data", allow_duplicate=True),
    Input(remove_set(), "n_clicks"),
    errors_in=Families.KEEP_ERROR,
)
def remove(clicks: Any) -> int:
    """Remove a kept set."""
    of = ctx.triggered_id
    if not isinstance(of, dict) or not any(clicks):
        raise PreventUpdate
    services().maps.forget(str(of["id"]))
    return changed()


@callbacks.on(
    Output(Families.KEPT, "children"),
    Input(Families.CHANGED, "data"),
    Input(Families.ASKED, "data"),
    errors_in=Families.KEEP_ERROR,
)
def list_kept(_changed: Any, asked: Any) -> Any:
    """The kept sets of the SAE."""
    state = MapState.parse(asked)
    if state.sae is None:
        return None
    sae_id = state.sae
    sets = services().maps.kept(sae_id)
    return kept_list(sets, state.set, lambda id: _address(sae_id, set=id), remove_set)


def _address(sae_id: str, **more: str) -> str:
    return f"/features/map?{urlencode({'sae': sae_id} | more, quote_via=quote)}"
