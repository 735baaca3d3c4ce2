"""A feature's activations: numbers, histogram, and examples from every range of them."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, html

from components.amounts import number_text, share_text
from components.example_lines import ExampleLines, chips_of, line_of
from components.feature_figures import activations_figure
from components.feature_head import feature_numbers, regions_bar
from components.feedback import empty_state, loading
from components.figures import graph
from components.ids import Shell
from components.shell import section
from pages.callbacks import CallbackSet
from pages.context import services
from pages.feature_ids import FeatureIds, figure_of, lines_of, part, show_range, view_field
from pages.feature_place import asked_of, live_at, view_at
from pages.feature_state import EvidenceState
from services.evidence.requests import IntervalsQuery
from services.types.features import EvidenceInterval, FeatureView

callbacks = CallbackSet()

_PER_INTERVAL = 5


def section_for(state: EvidenceState) -> Any:
    """Numbers and histogram; they fill in once the place is known."""
    counted = dmc.SegmentedControl(
        id=view_field("counted"), value=state.counted or "nonzero", size="xs",
        data=[{"value": "nonzero", "label": "Activations"},
              {"value": "all", "label": "All tokens"}],
        **{"aria-label": "Which tokens the histogram counts"},
    )  # fmt: skip
    scale = dmc.SegmentedControl(
        id=view_field("scale"), value=state.scale or "linear", size="xs",
        data=[{"value": "linear", "label": "Linear"}, {"value": "log", "label": "Log"}],
        **{"aria-label": "Scale of the counts"},
    )  # fmt: skip
    body = [
        html.Div(id=FeatureIds.ACTIVATIONS_ERROR),
        html.Div(loading(), id=FeatureIds.ACTIVATIONS, className="as-feature-part"),
    ]
    return section("Activations", body, actions=[counted, scale], id="activations")


def intervals_section() -> Any:
    """Examples from every range; they fill in once the place is known."""
    body = [
        html.Div(id=FeatureIds.INTERVALS_ERROR),
        html.Div(loading(), id=FeatureIds.INTERVALS, className="as-feature-part"),
    ]
    note = (
        "Each row is a range of equal width, the strongest first, with examples drawn at random "
        "from it. The tokens are those that set these examples apart from the corpus, by TF-IDF; "
        "point at one to see it in the lines."
    )
    return section("Examples by strength", body, note=note, id="intervals")


@callbacks.on(
    Output(FeatureIds.ACTIVATIONS, "children"),
    Input(FeatureIds.PLACE, "data"),
    Input(part("activations"), "data"),
    State(Shell.SCHEME, "computedColorScheme"),
    prevent_initial_call=False,
    errors_in=FeatureIds.ACTIVATIONS_ERROR,
)
def show_activations(place: Any, state_data: Any, scheme: Any) -> Any:
    """Numbers with their intervals, the histogram, the regions."""
    view = view_at(place)
    if view is None or view.known is None:
        return None
    if view.known.is_dead:
        return _dead(view)
    return [
        feature_numbers(view),
        _histogram(view, EvidenceState.parse(state_data), scheme),
        regions_bar(view.regions, lambda low, high: show_range(low, high, "region")),
    ]


def _dead(view: FeatureView) -> Any:
    assert view.known is not None and view.source is not None
    known = "It has fired nowhere" if view.known.is_final else "It has fired nowhere so far"
    text = f"{known} in {view.source.n_counted:,} tokens of {view.source.corpus_name}."
    return empty_state("A dead feature", text, icon_name="features")


def _histogram(view: FeatureView, state: EvidenceState, scheme: Any) -> Any:
    assert view.known is not None and view.source is not None
    silent = view.source.n_counted - view.known.n if state.counted == "all" else None
    figure = activations_figure(
        view.known.histogram,
        silent,
        log=state.scale == "log",
        chosen=(state.low, state.high),
        scheme="dark" if scheme == "dark" else "light",
    )
    label = f"Tokens by the activation of feature {view.feature_id}"
    return graph(figure_of("histogram"), figure, label=label)


@callbacks.on(
    Output(FeatureIds.INTERVALS, "children"),
    Input(FeatureIds.PLACE, "data"),
    Input(part("intervals"), "data"),
    prevent_initial_call=False,
    errors_in=FeatureIds.INTERVALS_ERROR,
)
def show_intervals(place: Any, state_data: Any) -> Any:
    """A row for each range of activations."""
    view = live_at(place)
    if view is None:
        return None
    state = EvidenceState.parse(state_data)
    width = {} if state.width is None else {"width": state.width}
    asked = asked_of(view, per_interval=_PER_INTERVAL, **width)
    found = services().evidence.intervals(IntervalsQuery.parse(asked))
    return [_interval(view, i, one, state.mode or "lines") for i, one in enumerate(found)]


def _interval(view: FeatureView, number: int, one: EvidenceInterval, mode: str) -> Any:
    assert view.known is not None
    between = f"{number_text(one.low)} to {number_text(one.high)}"
    is_last = number == 0 and view.known.max is not None
    name = html.Button(
        between, id=show_range(one.low, "" if is_last else one.high, "interval"), type="button",
        className="as-row-button", disabled=not one.n,
        **{"aria-label": f"All examples between {between}"},
    )  # fmt: skip
    n = f"{one.n:,} · {share_text(one.n / view.known.n)}" if one.n else "none"
    head = html.Div([html.H3(name), html.Span(n, className="as-muted as-num as-small")])
    if not one.n:
        return html.Div(head, className="as-interval as-interval-none")
    top = max(abs(view.known.max or 0.0), abs(view.known.min or 0.0))
    lines = ExampleLines(
        id=lines_of(number), lines=[line_of(e, noted=False) for e in one.examples], max=top,
        mode=mode, chips=chips_of(one.tokens), label=f"Examples between {between}",
        run={"sae": view.sae_id, "model": view.model_id, "feature": view.feature_id},
    )  # fmt: skip
    return html.Div([head, lines], className="as-interval")
