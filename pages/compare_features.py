"""Two to six features side by side; the address says which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate
from pydantic import Field, field_validator

from components.amounts import number_text
from components.compare import chosen_list
from components.feature_tabs import feature_tabs
from components.feedback import empty_state, loading
from components.icons import icon
from components.ids import Shell
from components.shell import page, section
from pages.callbacks import CallbackSet
from pages.choose_sae import sae_select, usual_sae
from pages.compare_features_ids import Compare, put_in, take_out
from pages.compare_results import comparison
from pages.context import services
from pages.url_state import UrlState
from services.comparison.requests import LEAST, MOST, CompareQuery, FeatureName
from services.errors import ActiscopeError, InvalidArgument, NotFound

callbacks = CallbackSet()

PATH = "/features/compare"
_SUGGESTED = 5


class CompareState(UrlState):
    """What the address carries: `f` once for each feature, `store` for those chosen by hand."""

    f: tuple[str, ...] | None = Field(None, max_length=50)
    store: tuple[str, ...] | None = Field(None, max_length=MOST)
    sae: str | None = Field(None, min_length=1, max_length=200)

    @field_validator("f", "store", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def features(self) -> tuple[FeatureName, ...]:
        """The features that are well named, each once, at most six."""
        found: dict[FeatureName, None] = {}
        for text in self.f or ():
            try:
                found.setdefault(FeatureName.parse(text))
            except ValueError:
                continue
        return tuple(found)[:MOST]


def layout(**query: Any) -> html.Div:
    """The page, with the features of its query string."""
    state = CompareState.parse(query)
    features = state.features
    sae_id = features[0].sae_id if features else state.sae
    body = [
        feature_tabs("compare", sae_id),
        dcc.Store(id=Compare.PLACE, data=_data(features, state.store)),
        dcc.Store(id=Compare.SINK),
        section("Features", [html.Div(id=Compare.CHOSEN), _adding(sae_id)]),
        html.Div(id=Compare.ERROR),
        html.Div(loading(), id=Compare.BODY, className="as-stack"),
    ]
    return page("Compare features", body)


def _data(features: Sequence[FeatureName], stores: Sequence[str] | None) -> dict[str, Any]:
    return {"f": [str(name) for name in features], "store": list(stores or ())}


def _adding(sae_id: str | None) -> html.Div:
    try:
        cards = services().registry.saes()
        sae_id = sae_id or usual_sae(cards)
    except ActiscopeError:  # the comparison itself says what is wrong
        cards = ()
    fields = [
        sae_select(Compare.SAE, cards, sae_id, className="as-grow"),
        dmc.NumberInput(
            id=Compare.NUMBER, label="Feature", min=0, allowDecimal=False, allowNegative=False,
            hideControls=True, w=120,
        ),
        dmc.Button("Add", id=Compare.ADD, variant="default", leftSection=icon("plus", 16)),
    ]  # fmt: skip
    return html.Div(
        [dmc.Group(fields, align="end", gap="sm", mt="sm"), html.Div(id=Compare.ADD_ERROR)]
    )


@callbacks.on(
    Output(Compare.PLACE, "data"),
    Output(Compare.NUMBER, "value"),
    Input(Compare.ADD, "n_clicks"),
    Input(take_out(), "n_clicks"),
    Input(put_in(), "n_clicks"),
    State(Compare.SAE, "value"),
    State(Compare.NUMBER, "value"),
    State(Compare.PLACE, "data"),
    errors_in=Compare.ADD_ERROR,
)
def change(
    _add: Any, outs: Any, ins: Any, sae_id: Any, number: Any, place: Any
) -> tuple[dict[str, Any], Any]:
    """Take a feature in or out."""
    state, asked = CompareState.parse(place), ctx.triggered_id
    features = list(state.features)
    if asked == Compare.ADD:
        features.append(_given(sae_id, number))
    elif isinstance(asked, dict) and ctx.triggered and ctx.triggered[0]["value"]:
        name = FeatureName.parse(str(asked["feature"]))
        if asked["type"] == "compare-in":
            features.append(name)
        elif name in features:
            features.remove(name)
    else:
        raise PreventUpdate
    if len(features) > MOST:
        raise InvalidArgument(f"{MOST} features are compared at most: take one out first")
    return _data(tuple(dict.fromkeys(features)), state.store), ""


def _given(sae_id: Any, number: Any) -> FeatureName:
    if not isinstance(sae_id, str) or not isinstance(number, int) or number < 0:
        raise InvalidArgument("choose an SAE and write the number of one of its features")
    n = services().maps.n_features(sae_id)
    if number >= n:
        raise NotFound(f"SAE {sae_id} has no feature {number}: its features are 0 to {n - 1}")
    return FeatureName(sae_id, number)


@callbacks.on(
    Output(Compare.CHOSEN, "children"),
    Input(Compare.PLACE, "data"),
    prevent_initial_call=False,
)
def choose(place: Any) -> Any:
    """What is compared."""
    features = CompareState.parse(place).features
    if not features:
        return dmc.Text("None chosen yet.", className="as-muted")
    return chosen_list(features, take_out)


@callbacks.on(
    Output(Compare.BODY, "children"),
    Input(Compare.PLACE, "data"),
    State(Shell.SCHEME, "computedColorScheme"),
    prevent_initial_call=False,
    errors_in=Compare.ERROR,
)
def show(place: Any, scheme: Any) -> Any:
    """The comparison."""
    state = CompareState.parse(place)
    if len(state.features) < LEAST:
        return _too_few(state.features)
    query = CompareQuery.parse(
        {"f": [str(name) for name in state.features], "store": list(state.store or ())}
    )
    found = services().comparisons.compare(query)
    return comparison(found, query, "dark" if scheme == "dark" else "light")


def _too_few(features: Sequence[FeatureName]) -> Any:
    if not features:
        text = "Choose two to six features: here by their numbers, or from a feature's page."
        link = dcc.Link("Table of features", href="/features")
        return dmc.Paper(empty_state("Nothing to compare", text, link, icon_name="features"))
    near = _nearest(features[0])
    text = "Choose at least one more feature to compare it with."
    if near:
        text += " These write the most similar direction:"
    return dmc.Paper(empty_state("One feature alone", text, near or None, icon_name="features"))


def _nearest(name: FeatureName) -> list[Any]:
    """Buttons that take in the nearest features."""
    try:
        decoder = services().evidence.decoder(*name)
    except ActiscopeError:  # the form says what is wrong with it
        return []
    near = decoder.neighbours[:_SUGGESTED] if decoder else ()
    return [
        dmc.Button(
            f"#{one.feature_id}  cosine {number_text(one.cosine)}", variant="default", m=4,
            id=put_in(f"{name.sae_id}:{one.feature_id}"), size="compact-sm",
        )
        for one in near
    ]  # fmt: skip


_MIRROR: Final = """
(place) => {
  const url = new URL(window.location.href);
  if (url.pathname !== '/features/compare' || !place) return window.dash_clientside.no_update;
  const query = new URLSearchParams();
  for (const name of place.f || []) query.append('f', name);
  for (const name of place.store || []) query.append('store', name);
  const search = query.toString().replaceAll('%3A', ':').replaceAll('%2F', '/');
  history.replaceState(history.state, '', url.pathname + (search ? '?' + search : ''));
  return window.dash_clientside.no_update;
}
"""

callbacks.clientside(_MIRROR, Output(Compare.SINK, "data"), Input(Compare.PLACE, "data"))
