"""Figures of one feature: its activations by value, the tokens that it writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from components.amounts import number_text, share_text
from components.figure_theme import TEMPLATES
from components.theme import Scheme
from components.token_text import in_figure, visible
from services.types.decoder import TokenWeight
from services.types.stores import StoreHistogram

_HEIGHT = 220
_ROW_PX = 22


def activations_figure(
    histogram: StoreHistogram,
    n_silent: int | None,
    *,
    log: bool = False,
    chosen: tuple[float | None, float | None] = (None, None),
    scheme: Scheme = "light",
) -> go.Figure:
    """Tokens by activation; `n_silent`: also those at which it is silent, as a bar of their own.

    A bar's `customdata` says which range a click means.
    """
    edges = np.asarray(histogram.edges, np.float64)
    counts = np.asarray(histogram.counts, np.int64)
    figure = go.Figure(_bars(edges, counts))
    if n_silent is not None and len(edges) > 1:
        figure.add_trace(_silent(edges, n_silent))
    _mark_range(figure, chosen)
    figure.update_layout(
        template=TEMPLATES[scheme], height=_HEIGHT, showlegend=False, bargap=0.06,
        hovermode="closest", xaxis_title="activation", yaxis_title="tokens", barmode="overlay",
    )  # fmt: skip
    figure.update_xaxes(showgrid=False, fixedrange=True)
    figure.update_yaxes(fixedrange=True, rangemode="tozero")
    if log:
        figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    return figure


def _bars(edges: np.ndarray, counts: np.ndarray) -> go.Bar:
    if len(edges) != len(counts) + 1 or not counts.sum():
        return go.Bar(x=[], y=[])
    total, filled = int(counts.sum()), np.flatnonzero(counts)
    low, high, shown = edges[:-1][filled], edges[1:][filled], counts[filled]
    ranges = list(zip(low.tolist(), high.tolist(), strict=True))
    last = len(counts) - 1
    return go.Bar(
        x=(low + high) / 2,
        y=shown,
        width=(high - low) * 0.94,
        customdata=[
            [a, None if i == last else b] for (a, b), i in zip(ranges, filled, strict=True)
        ],
        text=[
            f"{number_text(a)} to {number_text(b)}<br>{n:,} tokens, {share_text(n / total)} of its "
            "activations<br>click: examples"
            for (a, b), n in zip(ranges, shown.tolist(), strict=True)
        ],
        textposition="none",
        hovertemplate="%{text}<extra></extra>",
    )


def _silent(edges: np.ndarray, n_silent: int) -> go.Bar:
    """The bar of the tokens without an activation, left of all values or at zero."""
    width = float(edges[1] - edges[0])
    return go.Bar(
        x=[min(0.0, float(edges[0])) - width], y=[n_silent], width=[width * 0.94],
        hovertemplate=f"silent: {n_silent:,} tokens<extra></extra>",
    )  # fmt: skip


def _mark_range(figure: go.Figure, chosen: tuple[float | None, float | None]) -> None:
    low, high = chosen
    xs = [x for trace in figure.data for x in (trace.x if trace.x is not None else ())]
    if (low is None and high is None) or not xs:
        return
    left, right = min(xs), max(xs)
    figure.add_vrect(x0=left if low is None else low, x1=right * 1.02 if high is None else high)


def weights_figure(weights: Sequence[TokenWeight], label: str, scheme: Scheme) -> go.Figure:
    """The tokens whose logits it moves most, one bar each, in their order."""
    names = [f"{i} {visible(w.token_str)}" for i, w in enumerate(weights)]
    bars = go.Bar(
        x=[w.weight for w in weights],
        y=names,
        orientation="h",
        opacity=0.6,
        customdata=[_weight_words(w) for w in weights],
        hovertemplate="%{customdata}<extra></extra>",
    )
    # the first colour is that of activation: an empty trace takes it
    figure = go.Figure([go.Bar(x=[], y=[]), bars])
    ticks = {"tickmode": "array", "tickvals": names,
             "ticktext": [in_figure(_short(visible(w.token_str))) for w in weights]}  # fmt: skip
    figure.update_layout(
        template=TEMPLATES[scheme], height=_ROW_PX * max(3, len(weights)) + 40, showlegend=False,
        hovermode="closest", xaxis={"title": {"text": label}, "fixedrange": True},
        yaxis={"type": "category", "autorange": "reversed", "showgrid": False,
               "fixedrange": True, **ticks},
    )  # fmt: skip
    return figure


def _weight_words(w: TokenWeight) -> str:
    z = "" if w.z is None else f"<br>{w.z:+.1f} standard deviations from the mean"
    return f"<b>{in_figure(visible(w.token_str))}</b> token {w.token_id}<br>{w.weight:+.4g}{z}"


def _short(text: str, limit: int = 18) -> Any:
    return text if len(text) <= limit else text[: limit - 1] + "…"
