"""What a feature writes, and which other features are like it."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html

from components.entries import listed
from components.feature_figures import weights_figure
from components.feature_lists import related_table, weights_table
from components.feedback import empty_state, loading
from components.figures import graph
from components.ids import Shell
from components.shell import section
from components.still import still
from components.theme import Scheme
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import FeatureIds, related, related_error
from pages.feature_place import asked_of, live_at, view_at
from pages.feature_state import Place
from services.evidence.requests import RelatedQuery
from services.types.decoder import DecoderFeature, TokenWeight
from services.types.features import FeatureView

callbacks = CallbackSet()

_SHOWN = 10
_RELATED = 12
_KINDS = (
    ("cosine", "Nearest by decoder",
     "Features whose decoder directions have the largest cosine with this one's: they write nearly "
     "the same."),
    ("count", "Fire together",
     "On how many tokens both fire, and how many were expected if they were independent."),
    ("jaccard", "Fire at the same tokens", "Tokens at which both fire ÷ tokens at which any does."),
    ("correlation", "Correlated", "Correlation of the two activations over all counted tokens."),
)  # fmt: skip


def logits_section() -> Any:
    """The tokens that it writes for and against."""
    body = [
        html.Div(id=FeatureIds.DECODER_ERROR),
        html.Div(loading(), id=FeatureIds.DECODER, className="as-feature-part"),
    ]
    note = (
        "How much one unit of the activation raises or lowers a token's logit on the direct path, "
        "layers in between left out."
    )
    return section("Logit weights", body, note=note, id="logits")


def related_sections() -> html.Div:
    """Four lists of other features, each by itself."""
    panels = []
    for by, name, note in _KINDS:
        body = [
            html.Div(id=related_error(by)),
            html.Div(loading(), id=related(by), className="as-feature-part"),
        ]
        panels.append(section(name, body, note=note))
    return html.Div(panels, className="as-columns as-columns-two", id="related")


@callbacks.on(
    Output(FeatureIds.DECODER, "children"),
    Input(FeatureIds.PLACE, "data"),
    State(Shell.SCHEME, "computedColorScheme"),
    prevent_initial_call=False,
    errors_in=FeatureIds.DECODER_ERROR,
)
def show_decoder(place: Any, scheme: Any) -> Any:
    """Top and bottom logit weights, as bars and as numbers."""
    view = view_at(place)
    if view is None:
        return None
    found = services().evidence.decoder(view.sae_id, view.feature_id)
    if found is None:
        return _no_decoder(view)
    if not found.top:
        text = "What this SAE writes cannot be followed to the logits."
        return empty_state("No logit weights", text, icon_name="features")
    theme: Scheme = "dark" if scheme == "dark" else "light"
    kinds = (("top", "Raised most", found.top), ("bottom", "Lowered most", found.bottom))
    panels = [_weights(key, name, weights, theme) for key, name, weights in kinds]
    return [html.Div(panels, className="as-columns"), _decoder_line(found)]


def _no_decoder(view: FeatureView) -> Any:
    link = dcc.Link("Start an extraction", href=listed("/extractions/new", sae=view.sae_id))
    text = "An extraction with this SAE looks at its decoder."
    return empty_state("The decoder was not looked at yet", text, link, icon_name="features")


def _weights(key: str, name: str, weights: tuple[TokenWeight, ...], scheme: Scheme) -> html.Div:
    shown = weights[:_SHOWN]
    figure = weights_figure(shown, "logit weight", scheme)
    drawn = graph(f"feature-logits-{key}", figure, label=f"{name}: logit weights by token")
    numbers = html.Details(
        [html.Summary("As numbers"), still(weights_table(f"{name}: logit weights", weights))],
        className="as-details",
    )
    return html.Div([html.H3(name, className="as-option-title"), drawn, numbers])


def _decoder_line(found: DecoderFeature) -> dmc.Text:
    said = [f"Length of the decoder direction {found.decoder_norm:.3g}"]
    if found.encoder_cosine is not None:
        said.append(f"cosine of what it reads and what it writes {found.encoder_cosine:.3f}")
    if found.logit_std is not None and found.logit_mean is not None:
        said.append(f"logit weights {found.logit_mean:+.2g} ± {found.logit_std:.2g}")
    return dmc.Text("; ".join(said) + ".", className="as-muted", size="sm")


def show_related(by: str, place: Any) -> Any:
    """One list of related features."""
    view = view_at(place) if by == "cosine" else live_at(place)
    if view is None:
        return None
    query = RelatedQuery.parse(asked_of(view, by=by, limit=_RELATED))
    found = services().evidence.related(query)
    if not found:
        return empty_state("None", "No other feature is related in this way.", icon_name="features")
    store_id = Place.parse(place).store
    return still(related_table(by, found, view.sae_id, view.feature_id, store_id))


def _declare(by: str) -> None:
    @callbacks.on(
        Output(related(by), "children"),
        Input(FeatureIds.PLACE, "data"),
        prevent_initial_call=False,
        errors_in=related_error(by),
    )
    def show(place: Any) -> Any:
        return show_related(by, place)


for _by, _, _ in _KINDS:
    _declare(_by)
