"""Figures of an extraction: tokens over time, how often features fire, how many at a token.

They are drawn while it runs and stay when it is done; each is there from the first token.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from components.figure_theme import TEMPLATES
from components.theme import Scheme
from services.types import ExtractionLive

_HEIGHT = 240


def speed_figure(live: ExtractionLive, scheme: Scheme = "light") -> go.Figure:
    """Tokens per second over the time that the extraction has worked."""
    at, rates = speeds(live.seconds, live.tokens_at)
    line = go.Scatter(
        x=at, y=rates, mode="lines", line={"width": 2, "shape": "hv"}, fill="tozeroy",
        hovertemplate="after %{x:,.0f} s: %{y:,.0f} tokens/s<extra></extra>",
    )  # fmt: skip
    figure = go.Figure(line)
    figure.update_layout(xaxis_title="seconds of work", yaxis_title="tokens/s")
    return _framed(figure, scheme)


def speeds(seconds: Sequence[float], tokens_at: Sequence[int]) -> tuple[list[float], list[float]]:
    """The rate between each moment and the one before, as steps that begin at the earlier one."""
    pairs = [(0.0, 0), *zip(seconds, tokens_at, strict=False)]
    steps = [(a, b) for a, b in itertools.pairwise(pairs) if b[0] > a[0]]
    rates = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in steps]
    at = [a[0] for a, _ in steps]
    return ([*at, steps[-1][1][0]], [*rates, rates[-1]]) if steps else ([], [])


def density_figure(live: ExtractionLive, scheme: Scheme = "light") -> go.Figure:
    """Features by the share of tokens at which they fire; those that never did are left out."""
    hover = "10<sup>%{customdata}</sup> of tokens: %{y:,} features<extra></extra>"
    figure = _histogram(live.density_edges, live.density_counts, hover)
    figure.update_layout(xaxis_title="share of tokens, log₁₀", yaxis_title="features")
    return _framed(figure, scheme)


def l0_figure(live: ExtractionLive, scheme: Scheme = "light") -> go.Figure:
    """Tokens by the number of features that fire at them."""
    hover = "%{customdata} features: %{y:,} tokens<extra></extra>"
    figure = _histogram(live.l0_edges, live.l0_counts, hover)
    figure.update_layout(xaxis_title="features that fire", yaxis_title="tokens", margin_t=26)
    if live.l0 is not None and np.isfinite(live.l0):
        figure.add_vline(
            x=live.l0, line_width=1.5, line_dash="dot",
            annotation={"text": f"mean {live.l0:.3g}", "xanchor": "left", "yanchor": "bottom",
                        "y": 1, "yref": "paper"},
        )  # fmt: skip
    return _framed(figure, scheme)


def activation_histogram(
    edges: Sequence[float], counts: Sequence[int], scheme: Scheme = "light"
) -> go.Figure:
    """A feature's activations by their value."""
    figure = _histogram(edges, counts, "%{customdata}: %{y:,} tokens<extra></extra>")
    figure.update_layout(xaxis_title="activation", yaxis_title="tokens")
    return _framed(figure, scheme, height=200)


def _histogram(edges: Sequence[float], counts: Sequence[int], hover: str) -> go.Figure:
    """Bars without the empty bins at both ends; an empty figure without a count."""
    filled = np.flatnonzero(counts)
    if not filled.size or len(edges) != len(counts) + 1:
        return go.Figure(go.Bar(x=[], y=[]))
    shown = slice(int(filled[0]), int(filled[-1]) + 1)
    ends = np.asarray(edges, np.float64)[shown.start : shown.stop + 1]
    return go.Figure(
        go.Bar(
            x=(ends[:-1] + ends[1:]) / 2,
            y=list(counts[shown]),
            width=np.diff(ends) * 0.92,
            customdata=[f"{a:.3g} to {b:.3g}" for a, b in itertools.pairwise(ends.tolist())],
            hovertemplate=hover,
        )
    )


def _framed(figure: go.Figure, scheme: Scheme, *, height: int = _HEIGHT) -> go.Figure:
    figure.update_layout(
        template=TEMPLATES[scheme], height=height, showlegend=False, bargap=0.08,
        hovermode="closest",
    )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(showgrid=False)
    return figure
