"""Figures of compared features: their activations, one under the other on one scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from components.amounts import number_text, share_text
from components.figure_theme import TEMPLATES
from components.theme import Scheme
from services.types.stores import StoreHistogram

_ROW_PX = 96


def histograms_figure(
    names: Sequence[str], found: Sequence[StoreHistogram | None], scheme: Scheme = "light"
) -> go.Figure:
    """The share of each feature's activations by value; what never fires has an empty row."""
    figure = make_subplots(rows=len(names), cols=1, shared_xaxes=True, vertical_spacing=0.06)
    for row, (name, one) in enumerate(zip(names, found, strict=True), 1):
        figure.add_trace(_bars(name, one), row=row, col=1)
        figure.update_yaxes(
            title_text=name, tickformat=".0%", nticks=4, rangemode="tozero", row=row, col=1
        )
    figure.update_layout(
        template=TEMPLATES[scheme], height=_ROW_PX * len(names) + 60, showlegend=False,
        hovermode="closest", bargap=0.06,
    )  # fmt: skip
    figure.update_xaxes(showgrid=False, fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    figure.update_xaxes(title_text="activation", row=len(names), col=1)
    return figure


def _bars(name: str, one: StoreHistogram | None) -> go.Bar:
    if one is None:
        return go.Bar(x=[], y=[])
    edges, counts = np.array(one.edges), np.array(one.counts)
    shares = counts / max(int(counts.sum()), 1)
    words = [
        f"{name}: {number_text(low)} to {number_text(high)}<br>{count:,} tokens, "
        f"{share_text(share)} of its activations"
        for low, high, count, share in zip(edges[:-1], edges[1:], counts, shares, strict=True)
    ]
    return go.Bar(
        x=(edges[:-1] + edges[1:]) / 2, y=shares, width=np.diff(edges) * 0.94, customdata=words,
        hovertemplate="%{customdata}<extra></extra>", marker={"color": None},
    )  # fmt: skip
