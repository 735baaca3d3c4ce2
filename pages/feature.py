"""One feature: what it is called, what it fires on, what it writes, which others are like it.

Every section loads by itself, so that what is known at once is seen at once.
"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from components.entries import listed
from components.feature_head import (
    name_line,
    neuronpedia_link,
    no_store,
    place_line,
    step_links,
    warnings_list,
)
from components.feature_links import features_href
from components.feedback import empty_state, loading
from components.icons import icon
from components.ids import Shell
from components.shell import page
from pages import (
    feature_code,
    feature_decoder,
    feature_document,
    feature_evidence,
    feature_examples,
    feature_labels,
    feature_probes,
    feature_runs,
    feature_tokens,
)
from pages.author import author_of
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import FeatureIds, part
from pages.feature_place import required_at
from pages.feature_state import PARTS, EvidenceState, Place
from pages.label_form import changed
from services.types.features import FeatureView

callbacks = CallbackSet()

PATH = "/features/<sae>/<feature>"
_KEPT = ("store", "width", "mode", "counted", "scale", "column")  # on the way to another feature


def layout(sae: Any = None, feature: Any = None, **query: Any) -> html.Div:
    """The page of the feature that the path names."""
    place, state = Place.of_path(sae, feature, query), EvidenceState.parse(query)
    if place.named is None and (sae, feature) != (None, None):
        return page("Feature", _nothing())
    # Dash asks once without an address, for the ids of what is here
    name, number = place.named or ("", 0)
    link = dcc.Link("All features", href=features_href(name, store_id=place.store))
    return page(f"Feature {number}", _body(place, state), actions=[link])


def _body(place: Place, state: EvidenceState) -> list[Any]:
    data = {FeatureIds.PLACE: place.as_data(), FeatureIds.VIEW: state.as_data()}
    return [
        *(dcc.Store(id=id, data=value) for id, value in data.items()),
        *(dcc.Store(id=part(name), data=state.part(name)) for name in PARTS),
        *(dcc.Store(id=id) for id in (FeatureIds.SINK, FeatureIds.CHANGED)),
        feature_document.dialog(),
        html.Div(id=FeatureIds.HEAD_ERROR),
        html.Div(id=FeatureIds.STAR_ERROR),
        html.Div(_head(), className="as-feature-head"),
        html.Div(
            [feature_evidence.section_for(state), feature_labels.section_for()],
            className="as-two as-feature-two",
        ),
        feature_examples.section_for(state),
        feature_evidence.intervals_section(),
        feature_decoder.logits_section(),
        feature_tokens.section_for(),
        feature_decoder.related_sections(),
        feature_tokens.breakdown_section(state),
        feature_probes.section_for(),
        feature_runs.section_for(),
        feature_code.section_for(),
    ]


def _head() -> list[Any]:
    """The name and the steps; both fill in, the forms are there at once."""
    other = dmc.NumberInput(
        id=FeatureIds.OTHER, placeholder="Feature", min=0, allowDecimal=False, allowNegative=False,
        hideControls=True, size="xs", w=92,
        **{"aria-label": "Number of the feature to compare with"},
    )  # fmt: skip
    forms = [
        dmc.Button("Random", id=FeatureIds.RANDOM, variant="default", size="xs"),
        dmc.Group(
            [other, dmc.Button("Compare", id=FeatureIds.COMPARE, variant="default", size="xs")],
            gap=4, wrap="nowrap",
        ),
    ]  # fmt: skip
    star = html.Button(
        [icon("star", 16), "Star"], id=FeatureIds.STAR, type="button", className=_STAR,
        **{"aria-pressed": "false"},
    )  # fmt: skip
    return [
        html.Div([html.Div(id=FeatureIds.NAME), star], className="as-feature-title"),
        html.Div(
            [html.Div(id=_STEPS, className="as-inline"), *forms], className="as-feature-steps"
        ),
        html.Div(loading(1), id=FeatureIds.HEAD),
    ]


_STAR = "as-button as-button-quiet as-button-small as-feature-star"
_STEPS = f"{FeatureIds.HEAD}-steps"


def title(sae: str = "", feature: str = "", **_query: Any) -> str:
    """The title of the browser's window."""
    named = Place.of_path(sae, feature, {}).named
    return "Feature · Actiscope" if named is None else f"#{named[1]} of {named[0]} · Actiscope"


def _nothing() -> Any:
    link = dcc.Link("All SAEs", href=listed("/saes"))
    text = "The address names an SAE and the number of one of its features."
    return empty_state("No such feature", text, link, icon_name="features")


@callbacks.on(
    Output(FeatureIds.HEAD, "children"),
    Output(_STEPS, "children"),
    Input(FeatureIds.PLACE, "data"),
    State(FeatureIds.VIEW, "data"),
    prevent_initial_call=False,
    errors_in=FeatureIds.HEAD_ERROR,
)
def show_head(place: Any, state_data: Any) -> tuple[Any, Any]:
    """Where the feature is from, what to beware of, and the features beside it."""
    view = required_at(place)
    if view is None:
        return None, None
    known = {**EvidenceState.parse(state_data).as_data(), "store": Place.parse(place).store}
    kept = {name: known.get(name) for name in _KEPT}
    parts = [
        place_line(view),
        warnings_list(view.warnings),
        no_store(view.sae_id) if view.source is None else None,
    ]
    outside = neuronpedia_link(_outside(view))
    return parts, [*step_links(view, **kept), outside]


def _outside(view: FeatureView) -> str | None:
    return services().registry.sae(view.sae_id).info.neuronpedia_url(view.feature_id)


@callbacks.on(
    Output(FeatureIds.NAME, "children"),
    Output(FeatureIds.STAR, "aria-pressed"),
    Input(FeatureIds.PLACE, "data"),
    Input(FeatureIds.CHANGED, "data"),
    prevent_initial_call=False,
    errors_in=FeatureIds.STAR_ERROR,
)
def show_name(place: Any, _changed: Any) -> tuple[Any, str]:
    """The chosen label, and whether it is starred."""
    named = Place.parse(place).named
    if named is None:
        raise PreventUpdate
    marks = services().labels.snapshot(named[0]).marks.get(named[1])
    is_starred = marks is not None and marks.is_starred
    return name_line(marks), "true" if is_starred else "false"


@callbacks.on(
    Output(FeatureIds.CHANGED, "data"),
    Input(FeatureIds.STAR, "n_clicks"),
    State(FeatureIds.STAR, "aria-pressed"),
    State(FeatureIds.PLACE, "data"),
    State(Shell.AUTHOR, "data"),
    errors_in=FeatureIds.STAR_ERROR,
)
def star(clicks: Any, pressed: Any, place: Any, author: Any) -> int:
    """Star the feature, or take the star away."""
    named = Place.parse(place).named
    if not clicks or named is None:
        raise PreventUpdate
    services().labels.star(*named, pressed != "true", author_of(author))
    return changed()
