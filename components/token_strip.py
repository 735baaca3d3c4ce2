"""The token strip: a run's text, token by token, coloured by activation.

The browser half is `assets/actiscope_strip.js` (the component) with `actiscope_tokens.js` (paint)
and `actiscope_card.js` (the card that explains a token). Data travels as parallel lists; token
text is hostile and only ever becomes `textContent`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
import numpy as np
from dash import html
from dash.development.base_component import Component

from components.feature_links import feature_href
from services.types import FeatureTimeline, LiveRun, RunStatus, RunView, Segment, Token

CARD_FEATURES = 8  # features listed in a token's card


class TokenStrip(Component):
    """Tokens with their activations; needs the scripts in assets, no build step.

    In:  tokens, special (0/1), segments (number of prompt tokens), values (their size is the
         colour; 0: none), max (end of the colour scale), top (per token a flat list
         [id, value, id, value, ...]), logprobs (null: unknown), feature (the pinned feature or
         null), labels (by feature, of those that have one), featureBase (the address of a
         feature's page without its number), showSpecial, streaming, label (accessible name),
         className.
    In and out: selected (the pinned position or null).
    Out: clicked {position (null: unpinned), n}, hoverFeatureClicked {feature, n}; n counts up.
    """

    _children_props: list[str] = []
    _base_nodes = ["children"]
    _namespace = "actiscope"
    _type = "TokenStrip"
    _prop_names = [
        "id", "tokens", "special", "segments", "values", "max", "top", "logprobs", "feature",
        "labels", "featureBase", "selected", "showSpecial", "streaming", "label", "className",
        "clicked", "hoverFeatureClicked",
    ]  # fmt: skip
    _valid_wildcard_attributes: list[str] = []
    available_properties = _prop_names
    available_wildcard_properties: list[str] = []

    def __init__(self, id: str | dict[str, Any] | None = None, **props: Any) -> None:
        if id is not None:
            props["id"] = id
        super().__init__(**props)


def token_strip(
    view: RunView,
    timeline: FeatureTimeline | None,
    *,
    feature_id: int | None = None,
    position: int | None = None,
    show_special: bool = False,
    labels: Mapping[int, str] | None = None,
    id: str | dict[str, Any],
) -> TokenStrip:
    """The finished run; coloured by `feature_id`, or by the strongest feature of each token."""
    return TokenStrip(
        id=id,
        **token_props(view.tokens),
        **activation_props(view, timeline, feature_id),
        feature=feature_id,
        labels=dict(labels or {}),
        featureBase=None if timeline is None else feature_base(timeline.sae_id),
        selected=position,
        showSpecial=show_special,
        streaming=False,
        label=strip_label(timeline, feature_id),
    )


def live_props(live: LiveRun) -> dict[str, Any]:
    """The props of a live strip that change while the run writes."""
    tokens = live.prompt_tokens + live.output_tokens
    writing = live.status is RunStatus.RUNNING and live.phase == "writing"
    return {**token_props(tokens), "streaming": writing}


def token_props(tokens: Sequence[Token]) -> dict[str, Any]:
    """Text, kind and probability of the tokens, as parallel lists."""
    return {
        "tokens": [token.text for token in tokens],
        "special": [int(token.is_special) for token in tokens],
        "segments": sum(token.segment is Segment.PROMPT for token in tokens),
        "logprobs": [None if t.logprob is None else round(t.logprob, 4) for t in tokens],
    }


def activation_props(
    view: RunView, timeline: FeatureTimeline | None, feature_id: int | None
) -> dict[str, Any]:
    """Colour values, their scale and each token's strongest features."""
    values = shown_values(view, timeline, feature_id)
    return {
        "values": _rounded(values),
        "max": scale_top(view, values),
        "top": [] if timeline is None else _top_features(timeline),
    }


def shown_values(
    view: RunView, timeline: FeatureTimeline | None, feature_id: int | None
) -> np.ndarray:
    """The value that colours each token, [n]: the feature's, or the position's strongest.

    Strong means far from zero: some architectures have negative activations. A timeline lists
    the features of a position in that order.
    """
    values = np.zeros(len(view.tokens), np.float32)
    if timeline is None or timeline.feature_ids.size == 0:
        return values
    strongest = timeline.activations[:, 0]
    found = strongest if feature_id is None else timeline.values_of(feature_id)
    n = min(len(values), len(found))
    values[:n] = found[:n]
    return values


def scale_top(view: RunView, values: np.ndarray) -> float:
    """The end of the colour scale: the largest size off special tokens, or of all if only those.

    A template or BOS token often carries an activation ten times the rest; it would leave
    everything else pale.
    """
    special = np.array([token.is_special for token in view.tokens], bool)
    sizes = np.abs(values)
    top = float(sizes[~special].max(initial=0.0)) or float(sizes.max(initial=0.0))
    return float(f"{top:.6g}")


def strip_label(timeline: FeatureTimeline | None, feature_id: int | None) -> str:
    """What the colours mean, in words."""
    if timeline is None:
        return "Tokens"
    if feature_id is None:
        return f"Tokens, coloured by the strongest feature of {timeline.sae_id}"
    return f"Tokens, coloured by feature {feature_id} of {timeline.sae_id}"


def activation_legend(top: float, label: str) -> html.Div:
    """The colour scale from 0 to `top` with what it measures."""
    return html.Div(
        [
            dmc.Text(label, size="sm", className="as-legend-label"),
            html.Span("0", className="as-num"),
            html.Span(className="as-legend-ramp"),
            html.Span(f"{top:.3g}", className="as-num"),
        ],
        className="as-legend",
    )


def card_features(timeline: FeatureTimeline) -> set[int]:
    """The features that the tokens' cards list."""
    ids = timeline.feature_ids[:, : min(CARD_FEATURES, timeline.top_k)]
    return set(np.unique(ids[ids >= 0]).tolist())


def feature_base(sae_id: str) -> str:
    """The address of the pages of an SAE's features, which ends with the number."""
    return feature_href(sae_id, 0).removesuffix("0")


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.4g}") if value else 0 for value in values.tolist()]


def _top_features(timeline: FeatureTimeline) -> list[list[float]]:
    width = min(CARD_FEATURES, timeline.top_k)
    ids = timeline.feature_ids[:, :width].tolist()
    values = timeline.activations[:, :width].tolist()
    return [
        [x for f, v in zip(row, vals, strict=True) if f >= 0 for x in (f, float(f"{v:.4g}"))]
        for row, vals in zip(ids, values, strict=True)
    ]
