"""The map of an SAE's features: points by decoder direction, and what is chosen on it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dash import dcc, html
from dash.development.base_component import Component

from components.amounts import UNKNOWN, count_text, number_text
from components.colour import oklch
from components.feature_links import feature_href
from components.feature_lists import token_chips
from components.tables import Column, table
from components.theme import LEVELS
from components.token_text import readable
from services.types.features import FeatureLine, FeatureMap, MapColours

_LABEL = "Map of the features by their decoder directions; the table below lists what is chosen"
# Of middling lightness, so that each reads on light and on dark.
_NONE, _OTHERS = oklch(0.68, 0.01, 255), oklch(0.6, 0.03, 255)
_GROUPS = [oklch(0.62, 0.15, hue) for hue in (255, 50, 150, 330, 95, 20, 200, 290, 120)]
_SHAPES = ("circle", "diamond", "square", "up", "down")
_SIGNS = {"circle": "●", "diamond": "◆", "square": "■", "up": "▲", "down": "▼"}
_PALEST = 0.3  # where the scale of numbers begins: `assets/actiscope_map.js` has the same


class FeatureCanvas(Component):
    """The points on a canvas; needs the script in assets.

    In:  points and legend (of `map_data`), labels {feature: text}, chosen ("3,5-9"), label
         (accessible name).
    Out: opened {feature, n}: a point that was clicked; selected {ids, n}: the points in a loop.
    """

    _children_props: list[str] = []
    _base_nodes = ["children"]
    _namespace = "actiscope"
    _type = "FeatureCanvas"
    _prop_names = ["id", "points", "legend", "labels", "chosen", "label", "opened", "selected"]
    _valid_wildcard_attributes: list[str] = []
    available_properties = _prop_names
    available_wildcard_properties: list[str] = []

    def __init__(self, id: str | None = None, **props: Any) -> None:
        if id is not None:
            props["id"] = id
        super().__init__(**({"label": _LABEL} | props))


def map_data(found: FeatureMap, colours: MapColours) -> tuple[dict[str, Any], dict[str, Any]]:
    """Points and legend as the script takes them: arrays as base64, little-endian.

    A point's colour is a number: 0 for unknown or no group, else 1 to 255 along the scale, or one
    more than the group.
    """
    values = colours.values[found.features]
    codes = _codes(values, colours)
    points = {
        "map": f"{found.sae_id} {found.map_id}",
        "features": _packed(found.features, "<i4"),
        "x": _packed(found.x, "<f4"),
        "y": _packed(found.y, "<f4"),
        "value": _packed(values, "<f4"),
        "colour": _packed(codes, "u1"),
    }
    names = ["none", *(readable(name) for name in colours.groups)]
    legend = {
        "kind": colours.kind, "title": colours.title.lower(), "levels": LEVELS, "names": names,
        "colours": [_NONE, *map(_colour, range(len(colours.groups)))],
        "shapes": ["circle", *map(_shape, range(len(colours.groups)))],
    }  # fmt: skip
    return points, legend


def map_legend(found: FeatureMap, colours: MapColours) -> html.Div:
    """What the colours mean."""
    title = html.B(colours.title)
    if colours.kind == "group":
        numbers = colours.values[found.features]
        entries = [_entry(g, name, numbers) for g, name in enumerate(colours.groups)]
        none = _entry(-1, "none", numbers)
        return html.Div([title, *entries, none], className="as-map-legend")
    known = _ends(colours.values[found.features], colours)
    if known is None:
        return html.Div([title, html.Span("nothing is known")], className="as-map-legend")
    first = max(1, round(_PALEST * LEVELS))
    stops = ", ".join(f"var(--as-l{level})" for level in range(first, LEVELS + 1))
    bar = html.Span(
        className="as-map-bar", style={"background": f"linear-gradient(to right, {stops})"}
    )
    ends = [number_text(10**end if colours.is_log else end) for end in known]
    scale = " (log scale)" if colours.is_log else ""
    return html.Div(
        [title, html.Span(ends[0]), bar, html.Span(f"{ends[1]}{scale}")], className="as-map-legend"
    )


def _entry(group: int, name: str, numbers: np.ndarray) -> html.Span:
    colour, shape = (_NONE, "circle") if group < 0 else (_colour(group), _shape(group))
    n = int((numbers == group).sum())
    sign = html.Span(_SIGNS[shape], style={"color": colour}, **{"aria-hidden": "true"})
    return html.Span([sign, f" {readable(name)} ({n:,})"])


def _codes(values: np.ndarray, colours: MapColours) -> np.ndarray:
    if colours.kind == "group":
        return np.clip(values + 1, 0, 255)
    known = _ends(values, colours)
    if known is None:
        return np.zeros(len(values))
    low, high = known
    share = (_shown(values, colours) - low) / ((high - low) or 1.0)
    return np.where(np.isfinite(share), np.round(1 + 254 * share), 0)


def _shown(values: np.ndarray, colours: MapColours) -> np.ndarray:
    """As the scale has them: NaN where there is nothing to show."""
    if not colours.is_log:
        return values
    return np.log10(np.where(values > 0, values, np.nan))


def _ends(values: np.ndarray, colours: MapColours) -> tuple[float, float] | None:
    shown = _shown(values, colours)
    known = shown[np.isfinite(shown)]
    return (float(known.min()), float(known.max())) if len(known) else None


def _packed(values: np.ndarray, kind: str) -> str:
    return b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def _colour(group: int) -> str:
    return _GROUPS[group] if group < len(_GROUPS) else _OTHERS


def _shape(group: int) -> str:
    return _SHAPES[group % len(_SHAPES)]


def short_labels(labels: Mapping[int, str], limit: int = 80) -> dict[str, str]:
    """Labels as the script shows them at a point."""
    return {
        str(id): readable(text if len(text) <= limit else text[: limit - 1] + "…")
        for id, text in labels.items()
    }


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
