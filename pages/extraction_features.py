"""The features of an extraction's store: a table, and the chosen one with its examples."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from components.feature_links import feature_href
from components.feedback import empty_state, loading
from components.ids import Shell
from components.shell import section
from components.store_features import feature_panel, features_table, top_tokens
from pages import clientside
from pages import clientside_extractions as browser
from pages.callbacks import CallbackSet
from pages.context import services
from pages.extraction_ids import Extraction, close_feature, feature_row, features_field
from pages.extraction_state import ExtractionName, FeatureState
from services.errors import NotFound
from services.stores.requests import StoreFeatureQuery, StoreFeaturesQuery
from services.types.stores import FeaturesPage

callbacks = CallbackSet()

_PAGE = 20
_HIDDEN = {"display": "none"}
_SORTS: Final = [
    {"value": "max", "label": "Largest activation"},
    {"value": "n", "label": "Activations"},
    {"value": "rare", "label": "Fewest activations"},
    {"value": "mean", "label": "Mean activation"},
    {"value": "n_documents", "label": "Documents"},
    {"value": "feature", "label": "Number"},
]
_ASCENDING = ("rare", "feature")
_LIVE = ["n", "rare", "feature"]  # what a store that fills can be sorted by


def feature_section(state: FeatureState) -> html.Div:
    """The table and the panel, side by side where there is room; both empty at first."""
    sort = dmc.Select(
        id=features_field("sort"), data=_SORTS, value=state.sort, placeholder="Largest activation",
        clearable=True, w=190, **{"aria-label": "Order of the features"},
        clearButtonProps={"aria-label": "Largest activation first"},
    )  # fmt: skip
    number = dmc.NumberInput(
        id=features_field("feature"), value="" if state.feature is None else state.feature,
        placeholder="Feature", min=0, allowDecimal=False, allowNegative=False, hideControls=True,
        debounce=400, w=110, **{"aria-label": "Number of the feature to show"},
    )  # fmt: skip
    back = dmc.Button("Back", id=Extraction.BACK, variant="default", disabled=True)
    forth = dmc.Button("Next", id=Extraction.NEXT, variant="default", disabled=True)
    place = html.Span(id=Extraction.PLACE, className="as-muted as-small")
    table = section(
        "Features",
        [
            html.Div(id=Extraction.FEATURES_ERROR),
            html.Div(loading(), id=Extraction.FEATURES),
            dmc.Group(
                [place, dmc.Group([back, forth], gap="xs")], justify="space-between", mt="sm"
            ),
        ],
        actions=[number, sort],
    )
    panel = html.Div(
        [html.Div(id=Extraction.FEATURE_ERROR), html.Div(_choose(), id=Extraction.FEATURE)],
        className="as-aside",
    )
    return html.Div([table, panel], id=Extraction.FEATURE_BOX, className="as-two", style=_HIDDEN)


def _choose() -> Any:
    text = "Choose one of the table to see where it fires."
    return dmc.Paper(empty_state("No feature chosen", text, icon_name="features"))


@callbacks.on(
    Output(Extraction.FEATURES, "children"),
    Output(Extraction.PLACE, "children"),
    Output(Extraction.BACK, "disabled"),
    Output(Extraction.NEXT, "disabled"),
    Output(Extraction.FEATURE_BOX, "style"),
    Input(Extraction.STAMP, "data"),
    Input(Extraction.VIEW, "data"),
    prevent_initial_call=False,
    errors_in=Extraction.FEATURES_ERROR,
)
def show_table(stamp: Any, state_data: Any) -> tuple[Any, ...]:
    """A page of the features, as far as the store is written."""
    name, state = ExtractionName.parse(stamp).id, FeatureState.parse(state_data)
    if name is None:
        return None, "", True, True, _HIDDEN
    try:
        is_complete = services().stores.health(name).is_complete
        found = services().stores.features(name, _query(state, is_complete))
    except NotFound:  # nothing is written yet
        return None, "", True, True, _HIDDEN
    if not found.items:
        return _none(), "", (state.page or 1) == 1, True, {}
    first = 1 + _offset(state)
    place = f"{first:,} to {first - 1 + len(found.items):,} of {found.total:,}"
    if not is_complete:
        place += " so far; their values are known once the store is complete"
    tops = _tops(name, found) if is_complete else {}  # while it fills that would take too long
    href = partial(feature_href, services().extractions.get(name).sae_id, store=name)
    shown = features_table(found, tops, feature_row, state.feature, href)
    return shown, place, first == 1, found.next_offset is None, {}


def _none() -> Any:
    return empty_state("No features to show", "None has fired yet.", icon_name="features")


def _offset(state: FeatureState) -> int:
    return ((state.page or 1) - 1) * _PAGE


def _query(state: FeatureState, is_complete: bool) -> StoreFeaturesQuery:
    known = [str(option["value"]) for option in _SORTS] if is_complete else _LIVE
    sort = state.sort if state.sort in known else "max" if is_complete else "n"
    return StoreFeaturesQuery.parse(
        {
            "sort": "n" if sort == "rare" else sort,
            "descending": sort not in _ASCENDING,
            "dead": None if sort == "feature" else False,
            "limit": _PAGE,
            "offset": _offset(state),
        }
    )


def _tops(name: str, found: FeaturesPage) -> Mapping[int, list[str]]:
    """Where each of them is strongest."""
    stores, query = services().stores, StoreFeatureQuery(examples=8, per_interval=0, width=0)
    features = [stores.feature(name, int(item["feature"]), query) for item in found.items]
    return {one.feature: top_tokens(one) for one in features}


@callbacks.on(
    Output(Extraction.FEATURE, "children"),
    Input(Extraction.STAMP, "data"),
    Input(Extraction.VIEW, "data"),
    State(Shell.SCHEME, "computedColorScheme"),
    prevent_initial_call=False,
    errors_in=Extraction.FEATURE_ERROR,
)
def show_feature(stamp: Any, state_data: Any, scheme: Any) -> Any:
    """The chosen feature with its examples, as far as the store is written."""
    name, state = ExtractionName.parse(stamp).id, FeatureState.parse(state_data)
    if name is None:
        raise PreventUpdate
    if state.feature is None:
        return _choose()
    query = StoreFeatureQuery(examples=10, per_interval=0, width=12)
    feature = services().stores.feature(name, state.feature, query)
    sae_id = services().extractions.get(name).sae_id
    actions = [
        dcc.Link("All about it", href=feature_href(sae_id, feature.feature, store=name)),
        dmc.Button("Close", id=close_feature(0), variant="default", size="compact-sm"),
    ]
    note = None if feature.is_final else "Of what is written so far."
    body = feature_panel(feature, "dark" if scheme == "dark" else "light")
    return section(f"Feature {feature.feature}", body, actions=actions, note=note)


callbacks.clientside(
    browser.CHOOSE_FEATURE,
    Output(Extraction.VIEW, "data"),
    Input(feature_row(), "n_clicks"),
    Input(features_field(), "value"),
    Input(Extraction.BACK, "n_clicks"),
    Input(Extraction.NEXT, "n_clicks"),
    Input(close_feature(), "n_clicks"),
    State(feature_row(), "id"),
    State(Extraction.VIEW, "data"),
)
callbacks.clientside(
    clientside.mirror_fields("/extraction", FeatureState.model_fields),
    Output(Extraction.SINK, "data"),
    Input(Extraction.VIEW, "data"),
)
