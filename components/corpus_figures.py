"""Figures of a corpus: how long its documents are."""

from __future__ import annotations

import itertools

import numpy as np
import plotly.graph_objects as go

from components.figure_theme import TEMPLATES
from components.theme import Scheme
from services.types import CorpusStatistics

_HEIGHT = 240
_LEAST = 0.5  # what a length of nothing counts as where lengths are logarithmic


def length_histogram(stats: CorpusStatistics, scheme: Scheme = "light") -> go.Figure | None:
    """Documents by their length, on a logarithmic axis; None where there is nothing to draw."""
    edges, counts = stats.length_edges, stats.length_counts
    if not counts or len(edges) != len(counts) + 1 or not sum(counts):
        return None
    ends = np.log10(np.maximum(np.asarray(edges, np.float64), _LEAST))
    bars = go.Bar(
        x=(ends[:-1] + ends[1:]) / 2,
        y=list(counts),
        width=np.diff(ends) * 0.92,
        customdata=[f"{a:,.0f} to {b:,.0f}" for a, b in itertools.pairwise(edges)],
        hovertemplate="%{customdata} characters: %{y:,} documents<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_layout(
        template=TEMPLATES[scheme], height=_HEIGHT, showlegend=False, bargap=0.08,
        hovermode="closest", xaxis_title="characters", yaxis_title="documents",
    )  # fmt: skip
    figure.update_xaxes(showgrid=False, **_ticks(float(ends[0]), float(ends[-1])))
    figure.update_yaxes(rangemode="tozero")
    return figure


def _ticks(low: float, high: float) -> dict[str, object]:
    """Round numbers between the ends: powers of ten, with halves where these are few."""
    powers = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    steps = (1,) if len(powers) > 6 else (1, 2, 5)
    values = [step * 10.0**power for power in powers for step in steps]
    shown = [value for value in values if value >= 1 and low <= np.log10(value) <= high]
    if len(shown) < 2:
        shown = [10**low, 10**high]
    return {
        "tickvals": [float(np.log10(v)) for v in shown],
        "ticktext": [f"{v:,.0f}" for v in shown],
    }
