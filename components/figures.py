"""Figures of a run: pure functions from values to Plotly, with nothing computed but layout.

Plotly reads a small HTML in every text it draws, so token text is escaped here before it gets in.
Colours that differ between light and dark come from the template (see figure_theme). The first
item of a mark's `customdata` says what a click means: the feature in the bars, `[feature,
position]` in the heat map, the position in the deltas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from dash import dcc, html
from plotly.subplots import make_subplots

from components.feature_links import feature_href
from components.figure_theme import TEMPLATES
from components.theme import Scheme
from components.token_text import in_figure, token_label, visible
from services.types import FeatureDeltas, FeatureTimeline, RunView, Segment, Token, TopFeature

_ROW_PX = 24
_CONFIG = {"displayModeBar": False, "responsive": True, "scrollZoom": False}
_LEGEND = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "itemclick": False}
_COLOUR_AXIS = {"cmin": 0, "colorbar": {"title": {"text": "activation"}, "len": 1}}
_FEATURE_AXIS = {"type": "category", "autorange": "reversed"}
_TOKEN_AXIS = {"type": "category", "showgrid": False, "nticks": 12, "tickangle": -45}

_LABEL_SHOWN = 20  # characters of a label beside its bar or row; the rest is in the hover

_BAR_HOVER = (
    "<b>feature %{customdata[0]}</b>  %{customdata[4]}%{customdata[5]}<br>max %{x:.4~g} "
    "at position %{customdata[3]}<br>mean %{customdata[2]:.4~g} over %{customdata[1]} positions"
    "<extra></extra>"
)


def graph(id: str | dict[str, Any], figure: go.Figure, *, label: str) -> html.Div:
    """`figure` in a page, with an accessible name, at the height it asks for."""
    height = figure.layout.height or 260
    return html.Div(
        dcc.Graph(id=id, figure=figure, config=_CONFIG, style={"height": height}),
        role="figure",
        className="as-figure",
        **{"aria-label": label},
    )


def top_feature_bars(
    top: Sequence[TopFeature],
    pinned: int | None = None,
    *,
    limit: int = 20,
    labels: Mapping[int, str] | None = None,
    scheme: Scheme = "light",
) -> go.Figure:
    """The strongest features: bar = maximum, dot = mean, text = positions it fires at.

    The name beside a bar is a link to the feature's page, with its label if it has one.
    """
    shown = list(top)[:limit]
    names = [f"#{feature.feature_id}" for feature in shown]
    rows = [_bar_data(feature, labels or {}) for feature in shown]
    bars = go.Bar(
        x=[feature.max_activation for feature in shown],
        y=names,
        orientation="h",
        name="max",
        customdata=rows,
        hovertemplate=_BAR_HOVER,
        text=[f"  {feature.hits}×" for feature in shown],
        textposition="outside",
        cliponaxis=False,
    )
    means = go.Scatter(
        x=[feature.mean_activation for feature in shown],
        y=names,
        mode="markers",
        name="mean",
        marker={"size": 7, "line": {"width": 0}},
        customdata=rows,
        hovertemplate=_BAR_HOVER,
    )
    figure = go.Figure([bars, means])
    links = [_link(f.sae_id, f.feature_id, labels or {}) for f in shown]
    _name_rows(figure, names, links, pinned)
    figure.update_layout(
        **_base(scheme, _ROW_PX * max(3, len(shown)) + 64),
        xaxis={"title": {"text": "activation"}, "rangemode": "tozero"},
        yaxis=_FEATURE_AXIS | {"showgrid": False},
        legend=_LEGEND,
    )
    return figure


def feature_token_heatmap(
    view: RunView,
    timeline: FeatureTimeline,
    features: Sequence[int],
    *,
    pinned: int | None = None,
    selected: int | None = None,
    segment: Segment | None = None,
    show_special: bool = False,
    labels: Mapping[int, str] | None = None,
    scheme: Scheme = "light",
) -> go.Figure:
    """Features down, tokens across; the pinned feature's row is framed and always present.

    Only the tokens of `segment` (None: all); special ones only with `show_special`. Where a
    feature does not fire, the cell is empty, not zero.
    """
    rows = _rows(features, pinned)
    kept = _columns(view, timeline, segment, show_special)
    columns = [token.position for token in kept]
    values = _matrix(timeline, rows, columns)
    names = [f"#{feature}" for feature in rows]
    tokens = [token_label(token.position, token.text) for token in kept]
    figure = go.Figure(_heat(values, tokens, names, _cells(rows, columns, values)))
    links = [_link(timeline.sae_id, feature, labels or {}) for feature in rows]
    _name_rows(figure, names, links, pinned)
    _frame_column(figure, columns, selected)
    figure.update_layout(
        **_base(scheme, _ROW_PX * max(3, len(rows)) + 96),
        coloraxis=_COLOUR_AXIS,
        xaxis=_TOKEN_AXIS,
        yaxis=_FEATURE_AXIS,
    )
    return figure


def _heat(values: np.ndarray, labels: list[str], names: list[str], cells: Any) -> go.Heatmap:
    return go.Heatmap(
        z=np.where(values == 0, np.float32("nan"), values),
        x=labels,
        y=names,
        coloraxis="coloraxis",
        customdata=cells,
        hoverongaps=False,
        ygap=2,
        hovertemplate="<b>%{y}</b>  %{z:.4~g}<br>%{x}<extra></extra>",
    )


def deltas_figure(
    deltas: FeatureDeltas, *, selected: int | None = None, scheme: Scheme = "light"
) -> go.Figure:
    """A feature's value by position, and under it its change against the compared value."""
    points = deltas.points
    positions = [point.token_position for point in points]
    labels = [[p.token_position, in_figure(visible(p.token_str))] for p in points]
    where = "position %{x} <b>%{customdata[1]}</b><br>"
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    value = go.Bar(
        x=positions,
        y=[point.activation_value for point in points],
        customdata=labels,
        name="activation",
        hovertemplate=where + "activation %{y:.4~g}<extra></extra>",
    )
    change = go.Bar(
        x=positions,
        y=[point.delta for point in points],
        customdata=labels,
        name="change",
        hovertemplate=where + "change %{y:+.4~g}<extra></extra>",
    )
    figure.add_trace(value, row=1, col=1)
    figure.add_trace(change, row=2, col=1)
    figure.update_layout(**_base(scheme, 340), showlegend=False, bargap=0.1)
    figure.update_yaxes(title_text="activation", row=1, col=1)
    figure.update_yaxes(title_text="change", row=2, col=1)
    figure.update_xaxes(title_text="position", row=2, col=1)
    figure.update_xaxes(showgrid=False)
    if selected is not None:
        figure.add_vline(x=selected, line_width=1.5, line_dash="dot")
    return figure


def _rows(features: Sequence[int], pinned: int | None) -> list[int]:
    return list(dict.fromkeys([*([] if pinned is None else [pinned]), *features]))


def _columns(
    view: RunView, timeline: FeatureTimeline, segment: Segment | None, show_special: bool
) -> list[Token]:
    known = view.tokens[: len(timeline.feature_ids)]
    chosen = [token for token in known if segment is None or token.segment is segment]
    return [token for token in chosen if show_special or not token.is_special]


def _matrix(timeline: FeatureTimeline, rows: list[int], columns: list[int]) -> np.ndarray:
    values = np.zeros((len(rows), len(columns)), np.float32)  # also right without any row
    for i, feature in enumerate(rows):
        values[i] = timeline.values_of(feature)[columns]
    return values


def _bar_data(f: TopFeature, labels: Mapping[int, str]) -> list[Any]:
    label = labels.get(f.feature_id)
    named = f"<br>{in_figure(visible(label))}" if label else ""
    where = [f.argmax_position, in_figure(f.sae_id)]
    return [f.feature_id, f.hits, f.mean_activation, *where, named]


def _link(sae_id: str, feature: int, labels: Mapping[int, str]) -> str:
    """The feature's number and the beginning of its label, leading to its page."""
    label = visible(labels.get(feature, ""))
    short = label if len(label) <= _LABEL_SHOWN else f"{label[: _LABEL_SHOWN - 1]}…"
    name = f"#{feature} {in_figure(short)}".rstrip()
    return f'<a href="{escape(feature_href(sae_id, feature))}" target="_self">{name}</a>'


def _frame_column(figure: go.Figure, columns: list[int], selected: int | None) -> None:
    if selected not in columns:
        return
    at = columns.index(selected)
    figure.add_shape(
        type="rect", xref="x", yref="paper", x0=at - 0.5, x1=at + 0.5, y0=0, y1=1, layer="above"
    )


def _cells(rows: list[int], columns: list[int], values: np.ndarray) -> list[list[Any]]:
    """[feature, position] of each cell that can be clicked: those in which the feature fires."""
    fires = (values != 0).tolist()
    return [
        [[row, column] if fires[i][j] else None for j, column in enumerate(columns)]
        for i, row in enumerate(rows)
    ]


def _base(scheme: Scheme, height: int) -> dict[str, Any]:
    return {"template": TEMPLATES[scheme], "height": height, "hovermode": "closest"}


def _name_rows(figure: go.Figure, names: list[str], links: list[str], pinned: int | None) -> None:
    """Names each row by its link; the pinned one's is bold, and the row framed."""
    name = f"#{pinned}"
    texts = [f"<b>{link}</b>" if n == name else link for n, link in zip(names, links, strict=True)]
    figure.update_yaxes(tickmode="array", tickvals=names, ticktext=texts)
    if name not in names:
        return
    at = names.index(name)
    figure.add_shape(
        type="rect", xref="paper", yref="y", x0=0, x1=1, y0=at - 0.5, y1=at + 0.5, layer="below"
    )
