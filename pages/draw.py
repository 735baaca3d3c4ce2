"""The parts of a finished run that change with the view, each with the fields it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from components.feature_links import feature_href
from components.feedback import empty_state
from components.figures import deltas_figure, feature_token_heatmap, graph, top_feature_bars
from components.saes import neuronpedia
from components.theme import Scheme
from components.token_strip import activation_legend, card_features, token_strip
from pages.context import services
from pages.feature_names import names_of
from pages.ids import Panel
from pages.panel import downloads
from pages.view import View
from services.runs import analysis
from services.runs.queries import DeltaQuery
from services.types import FeatureTimeline, RunView, SaeInfo, TopFeature

_BARS = 20
_HEATMAP_ROWS = 24
_ROW_FIELDS = frozenset(
    {"run", "sae", "segment", "special", "row_feature", "row_from", "row_to", "row_rank"}
)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the parts are drawn from."""

    run: RunView
    view: View
    scheme: Scheme

    @property
    def timeline(self) -> FeatureTimeline | None:
        """The chosen SAE's features, or those of the first usable one."""
        return self.run.timeline(self.view.sae)

    @property
    def sae(self) -> SaeInfo | None:
        """The chosen SAE as it is registered now; None where it is gone."""
        name = self.timeline and self.timeline.sae_id
        saes = (sae for model in services().models for sae in model.saes)
        return next((sae for sae in saes if sae.sae_id == name), None)

    def top(self, n: int) -> list[TopFeature]:
        """The SAE's strongest features over the chosen positions."""
        if self.timeline is None:
            return []
        return analysis.top_features(self.run, self.view.top_query(self.timeline.sae_id, n=n))

    def names(self, features: Iterable[int]) -> Mapping[int, str]:
        """What those features of the SAE, and the pinned one, are called."""
        if self.timeline is None:
            return {}
        pinned = [] if self.view.feature is None else [self.view.feature]
        return names_of(self.timeline.sae_id, [*features, *pinned])


@dataclass(frozen=True, slots=True)
class Part:
    """A box on the panel, what redraws it, and how."""

    box: str
    fields: frozenset[str]
    draw: Callable[[Drawing], Any]

    def is_stale(self, view: View, drawn: View) -> bool:
        """Whether a field that it depends on differs."""
        return any(getattr(view, f) != getattr(drawn, f) for f in self.fields)


def strip(d: Drawing) -> Any:
    """The tokens, coloured by the pinned feature or the strongest one."""
    drawn = token_strip(
        d.run,
        d.timeline,
        feature_id=d.view.feature,
        position=d.view.token,
        show_special=bool(d.view.special),
        labels=d.names(card_features(d.timeline) if d.timeline else ()),
        id=Panel.STRIP,
    )
    if d.timeline is None:
        return drawn
    return html.Div([activation_legend(drawn.max, drawn.label), drawn])


def pinned(d: Drawing) -> Any:
    """Which feature is pinned, its page, and the way to let it go."""
    feature = d.view.feature
    if feature is None or d.timeline is None:
        return dmc.Text("Click a token or a feature to pin it.", size="sm", className="as-muted")
    button = dmc.Button(
        "Unpin",
        id=Panel.FEATURE_CLEAR,
        variant="default",
        size="compact-sm",
        **{"aria-label": f"Unpin feature {feature}"},
    )
    label = d.names(()).get(feature)
    parts = [
        dmc.Text(f"Feature {feature} is pinned", size="sm"),
        None if label is None else dmc.Text(label, size="sm", fw=600, className="as-label-text"),
        dcc.Link("Open its page", href=feature_href(d.timeline.sae_id, feature)),
        button,
        neuronpedia(d.sae, feature),
    ]
    return dmc.Group([part for part in parts if part is not None], gap="xs")


def bars(d: Drawing) -> Any:
    """The strongest features of the chosen positions."""
    top = d.top(_BARS)
    if not top:
        return _nothing("No feature fires here", "None is above zero in the chosen positions.")
    names = d.names(feature.feature_id for feature in top)
    figure = top_feature_bars(top, d.view.feature, limit=_BARS, labels=names, scheme=d.scheme)
    return graph(
        Panel.TOP_FEATURES, figure, label="Strongest features by largest activation, with mean"
    )


def heatmap(d: Drawing) -> Any:
    """The strongest features by token."""
    top = d.top(_HEATMAP_ROWS)
    if d.timeline is None or not top:
        return _nothing("Nothing to map", "No feature fires in the chosen positions.")
    features = [feature.feature_id for feature in top]
    figure = feature_token_heatmap(
        d.run,
        d.timeline,
        features,
        pinned=d.view.feature,
        selected=d.view.token,
        segment=d.view.segment,
        show_special=bool(d.view.special),
        labels=d.names(features),
        scheme=d.scheme,
    )
    return graph(Panel.HEATMAP, figure, label="Activation by feature and token")


def deltas(d: Drawing) -> Any:
    """The pinned feature by position, and its change."""
    if d.view.feature is None or d.timeline is None:
        return _nothing("No feature pinned", "Pin one to see its value and change by position.")
    query = DeltaQuery(feature_id=d.view.feature, sae_id=d.timeline.sae_id)
    points = analysis.deltas(d.run, query, None)
    figure = deltas_figure(points, selected=d.view.token, scheme=d.scheme)
    return graph(Panel.DELTAS, figure, label=f"Feature {d.view.feature} by position")


def files(d: Drawing) -> Any:
    """Links to what is on the screen, as files."""
    return downloads(d.run.summary.request_id, d.view, d.timeline and d.timeline.sae_id)


def _nothing(title: str, text: str) -> Any:
    return empty_state(title, text)


TOKEN_PARTS = (
    Part(Panel.STRIP_BOX, frozenset({"run", "sae", "feature"}), strip),
    Part(Panel.PINNED, frozenset({"run", "sae", "feature"}), pinned),
    Part(Panel.DOWNLOADS, _ROW_FIELDS, files),
)
FIGURE_PARTS = (
    Part(Panel.BARS_BOX, frozenset({"run", "sae", "feature", "segment", "special"}), bars),
    Part(
        Panel.HEATMAP_BOX,
        frozenset({"run", "sae", "feature", "token", "segment", "special"}),
        heatmap,
    ),
    Part(Panel.DELTAS_BOX, frozenset({"run", "sae", "feature", "token"}), deltas),
)
