"""The map of an SAE's features: points by decoder direction, and what is chosen on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from dash import dcc, html

from components.amounts import UNKNOWN, count_text, number_text
from components.colour import oklch
from components.feature_links import feature_href
from components.feature_lists import token_chips
from components.figure_theme import TEMPLATES
from components.tables import Column, table
from components.theme import Scheme
from components.token_text import readable
from services.types.features import FeatureLine, FeatureMap, MapColours

HEIGHT = 560
_CONFIG = {
    "displayModeBar": True, "displaylogo": False, "responsive": True, "scrollZoom": True,
    "modeBarButtons": [["lasso2d", "select2d", "pan2d", "zoom2d", "resetScale2d"]],
}  # fmt: skip
# Of middling lightness, so that each reads on light and on dark.
_GROUP_COLOURS = [oklch(0.62, 0.15, hue) for hue in (255, 50, 150, 330, 95, 20, 200, 290, 120)]
_OTHERS, _NONE = oklch(0.62, 0.03, 255), oklch(0.68, 0.01, 255)
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star", "pentagon",
            "triangle-down", "hexagon")  # fmt: skip


def map_graph(id: str, figure: go.Figure) -> html.Div:
    """The map in a page; what is chosen on it stands under it as a table."""
    label = "Map of the features by their decoder directions; the table below lists what is chosen"
    return html.Div(
        dcc.Graph(id=id, figure=figure, config=_CONFIG, style={"height": HEIGHT}),
        role="figure", className="as-figure as-map", **{"aria-label": label},
    )  # fmt: skip


def map_figure(
    found: FeatureMap,
    colours: MapColours,
    labels: Mapping[int, str],
    scheme: Scheme = "light",
) -> go.Figure:
    """A point for each feature; the last trace is empty and rings what is chosen elsewhere.

    `customdata` of a point is its feature, followed by the value that colours it.
    """
    values = colours.values[found.features]
    text = [escape(_label(labels.get(i))) for i in found.features.tolist()]
    figure = go.Figure()
    if colours.kind == "group":
        _add_groups(figure, found, colours, values, text)
    else:
        _add_numbers(figure, found, colours, values, text)
    figure.add_trace(_rings())
    axes = ["", ""]
    if found.explained is not None:
        shares = [f"{100 * share:.1f} % of the variance" for share in found.explained]
        axes = [f"first component, {shares[0]}", f"second component, {shares[1]}"]
    figure.update_layout(
        template=TEMPLATES[scheme], height=HEIGHT, hovermode="closest", dragmode="lasso",
        uirevision=found.map_id, selectionrevision=found.map_id,
        legend={"orientation": "h", "y": -0.12, "itemsizing": "constant"},
        showlegend=colours.kind == "group",
    )  # fmt: skip
    plain = {"showgrid": False, "zeroline": False, "showticklabels": False}
    figure.update_xaxes(title_text=axes[0], **plain)
    figure.update_yaxes(title_text=axes[1], **plain)
    return figure


def ring_size(n: int) -> float:
    """Of a ring around one of `n` points."""
    return _size(n) + 7


def _size(n: int) -> float:
    return float(np.clip(14 - 2 * np.log10(max(n, 1)), 3, 9))


def _label(text: str | None, limit: int = 80) -> str:
    if not text:
        return ""
    return readable(text if len(text) <= limit else text[: limit - 1] + "…")


def _points(
    found: FeatureMap, chosen: np.ndarray, values: np.ndarray, text: list[str]
) -> dict[str, Any]:
    data = np.stack([found.features[chosen].astype(np.float64), values[chosen]], axis=1)
    named = [word for word, is_it in zip(text, chosen.tolist(), strict=True) if is_it]
    return {
        "x": found.x[chosen], "y": found.y[chosen], "customdata": data, "mode": "markers",
        "text": named,
    }  # fmt: skip


def _add_numbers(
    figure: go.Figure, found: FeatureMap, colours: MapColours, values: np.ndarray, text: list[str]
) -> None:
    shown = values
    if colours.is_log:
        with np.errstate(divide="ignore", invalid="ignore"):
            shown = np.where(values > 0, np.log10(np.where(values > 0, values, 1)), np.nan)
    known = np.isfinite(shown)
    hover = "<b>feature %{customdata[0]}</b> %{text}<br>"
    size = _size(len(values))
    figure.add_trace(
        go.Scattergl(
            **_points(found, ~known, values, text), name="unknown",
            marker={"size": size, "color": _NONE, "opacity": 0.5},
            hovertemplate=f"{hover}{colours.title.lower()} not known<extra></extra>",
        )
    )  # fmt: skip
    figure.add_trace(
        go.Scattergl(
            **_points(found, known, values, text), name=colours.title,
            marker={"size": size, "color": shown[known], "coloraxis": "coloraxis", "opacity": 0.9},
            hovertemplate=f"{hover}{colours.title.lower()} %{{customdata[1]:.4~g}}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(coloraxis=_scale(shown[known], colours))


def _scale(shown: np.ndarray, colours: MapColours) -> dict[str, Any]:
    """The ends of the colours: the palest ones, which a light page swallows, are left out."""
    low, high = (float(shown.min()), float(shown.max())) if len(shown) else (0.0, 1.0)
    extent = high - low or 1.0
    at = np.linspace(low, high, 5).tolist()
    words = [number_text(10**value if colours.is_log else value) for value in at]
    title = {"text": colours.title + (", log" if colours.is_log else "")}
    return {
        "cmin": low - extent * 0.45, "cmax": high,
        "colorbar": {"title": title, "tickvals": at, "ticktext": words, "len": 0.7},
    }  # fmt: skip


def _add_groups(
    figure: go.Figure, found: FeatureMap, colours: MapColours, values: np.ndarray, text: list[str]
) -> None:
    size = _size(len(values))
    hover = "<b>feature %{customdata[0]}</b> %{text}<extra>%{fullData.name}</extra>"
    for group in range(-1, len(colours.groups)):
        chosen = values == group
        name = colours.groups[group] if group >= 0 else "none"
        colour = _NONE if group < 0 else _colour(group)
        figure.add_trace(
            go.Scattergl(
                **_points(found, chosen, values, text),
                name=escape(_label(name, 40)),
                marker={"size": size if group < 0 else size + 2, "color": colour,
                        "opacity": 0.35 if group < 0 else 0.9,
                        "symbol": "circle" if group < 0 else _SYMBOLS[group % len(_SYMBOLS)]},
                hovertemplate=hover,
            )
        )  # fmt: skip


def _colour(group: int) -> str:
    return _GROUP_COLOURS[group] if group < len(_GROUP_COLOURS) else _OTHERS


def _rings() -> go.Scattergl:
    return go.Scattergl(
        x=[], y=[], mode="markers", name="chosen", hoverinfo="skip", showlegend=False,
        marker={"symbol": "circle-open", "size": 14, "color": oklch(0.6, 0.17, 255),
                "line": {"width": 2}},
    )  # fmt: skip


def selection_table(
    sae_id: str, lines: Sequence[FeatureLine], store_id: str | None = None
) -> html.Div:
    """The chosen features, each with its page."""
    columns = [Column("Feature"), Column("Label"), Column("Fires on"), Column("Promotes"),
               Column("Activations", number=True)]  # fmt: skip
    rows = []
    for line in lines:
        n, label = line.statistics.get("n"), line.marks.label
        href = feature_href(sae_id, line.feature_id, store=store_id)
        rows.append(
            [
                dcc.Link(f"#{line.feature_id}", href=href),
                readable(label.text) if label else UNKNOWN,
                token_chips(line.top_tokens),
                token_chips(line.promoted),
                count_text(None if n is None else int(n)),
            ]
        )
    return table("Chosen features", columns, rows, fold=True)
