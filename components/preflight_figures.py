"""Figures of a preflight: how many features fire, how often each does, where the error lies."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from components.figure_theme import TEMPLATES
from components.theme import Scheme
from services.types import PreflightReport

_HEIGHT = 240
Curves = Mapping[str, Sequence[float]]


def preflight_figures(
    report: PreflightReport, scheme: Scheme = "light"
) -> list[tuple[str, str, go.Figure]]:
    """Title, accessible description and figure of each curve that the report has."""
    drawn = [
        ("Features per token", "Tokens by the number of features that fire", _l0(report)),
        ("Feature density", "Features by how often they fire", _density(report)),
        ("Activation norm", "Tokens by the length of their activation", _norms(report)),
        ("Explained variance by window", "Explained variance of each window", _windows(report)),
        *(_by_position(report.curves, name) for name in sorted(report.curves)),
    ]
    return [(t, label, _framed(figure, scheme)) for t, label, figure in drawn if figure is not None]


def _framed(figure: go.Figure, scheme: Scheme) -> go.Figure:
    figure.update_layout(
        template=TEMPLATES[scheme], height=_HEIGHT, showlegend=False, bargap=0.08,
        hovermode="closest",
    )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(showgrid=False)
    return figure


def _l0(report: PreflightReport) -> go.Figure | None:
    figure = _histogram(report.curves, "l0", "%{customdata} features: %{y:,} tokens")
    if figure is None:
        return None
    figure.update_layout(xaxis_title="features that fire", yaxis_title="tokens")
    _mark(figure, report.metrics.get("l0"), "mean", "left")
    _mark(figure, report.published.get("l0"), "published", "right")
    figure.update_layout(margin_t=26)
    return figure


def _density(report: PreflightReport) -> go.Figure | None:
    figure = _histogram(
        report.curves, "density", "10<sup>%{customdata}</sup> of tokens: %{y:,} features"
    )
    if figure is None:
        return None
    figure.update_layout(xaxis_title="share of tokens, log₁₀", yaxis_title="features")
    return figure


def _norms(report: PreflightReport) -> go.Figure | None:
    figure = _histogram(report.curves, "input_norm", "%{customdata}: %{y:,} tokens")
    if figure is None:
        return None
    figure.update_layout(xaxis_title="length of x", yaxis_title="tokens", margin_t=26)
    _mark(figure, report.metrics.get("input_norm"), "mean", "left")
    _mark(figure, report.metrics.get("expected_norm"), "expected", "right")
    return figure


def _windows(report: PreflightReport) -> go.Figure | None:
    values = report.curves.get("window_explained_variance")
    if not values:
        return None
    bars = go.Bar(
        x=np.arange(1, len(values) + 1),
        y=list(values),
        hovertemplate="window %{x}: %{y:.1%}<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_layout(xaxis_title="window of the text", yaxis_tickformat=".0%")
    return figure


def _histogram(curves: Curves, name: str, hover: str) -> go.Figure | None:
    counts, edges = curves.get(f"{name}_histogram"), curves.get(f"{name}_edges")
    if not counts or not edges or len(edges) != len(counts) + 1:
        return None
    ends = np.asarray(edges, np.float64)
    bars = go.Bar(
        x=(ends[:-1] + ends[1:]) / 2,
        y=list(counts),
        width=np.diff(ends) * 0.92,
        customdata=[f"{a:.3g} to {b:.3g}" for a, b in itertools.pairwise(edges)],
        hovertemplate=hover + "<extra></extra>",
    )
    return go.Figure(bars)


def _mark(figure: go.Figure, at: float | None, name: str, side: str) -> None:
    if at is not None and np.isfinite(at):
        figure.add_vline(
            x=at, line_width=1.5, line_dash="dot",
            annotation={"text": f"{name} {at:.3g}", "xanchor": side, "yanchor": "bottom",
                        "y": 1, "yref": "paper"},
        )  # fmt: skip


def _by_position(curves: Curves, name: str) -> tuple[str, str, Any]:
    """`error_by_position` and the like: a line over the position in the text."""
    title = name.replace("_", " ").capitalize()
    values = curves[name]
    if not name.endswith("_by_position") or not values:
        return title, title, None
    line = go.Scatter(
        x=np.arange(len(values)),
        y=list(values),
        mode="lines",
        hovertemplate="position %{x}: %{y:.4~g}<extra></extra>",
    )
    figure = go.Figure(line)
    what = name.removesuffix("_by_position").replace("_", " ")
    figure.update_layout(xaxis_title="position", yaxis_title="FVU" if what == "error" else what)
    return title, f"{title} in the text", figure
