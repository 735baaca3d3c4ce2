"""Plotly templates in the product's colours, one per scheme.

A figure is drawn with the template of the scheme the page was in; when the user switches, the
browser lays the other template over it. So figures take every colour that differs between the
schemes from the template, never from a trace: surfaces, grid, text, the activation scale.
"""

from __future__ import annotations

from typing import Any

from components.theme import ACTIVATION_SCALE, LEVELS, PALETTES, SANS, SCHEMES, Palette, Scheme


def _translucent(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _axis(palette: Palette) -> dict[str, Any]:
    return {
        "gridcolor": palette.line,
        "linecolor": palette.line,
        "zerolinecolor": palette.line,
        "tickcolor": palette.line,
        "tickfont": {"color": palette.muted, "size": 12},
        "title": {"font": {"color": palette.muted, "size": 12}},
        "automargin": True,
    }


def _template(scheme: Scheme) -> dict[str, Any]:
    palette = PALETTES[scheme]
    axis = _axis(palette)
    colours = ACTIVATION_SCALE[scheme]
    scale = [[i / (LEVELS - 1), colour] for i, colour in enumerate(colours)]
    layout = {
        "font": {"family": SANS, "size": 12, "color": palette.ink},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": [palette.activation, palette.ink, palette.accent, palette.muted],
        "coloraxis": {
            "colorscale": scale,
            "colorbar": {
                "outlinewidth": 0,
                "thickness": 10,
                "tickfont": {"color": palette.muted, "size": 11},
                "title": {"font": {"color": palette.muted, "size": 11}},
            },
        },
        "hoverlabel": {
            "bgcolor": palette.raised,
            "bordercolor": palette.line,
            "font": {"color": palette.ink, "family": SANS, "size": 12},
            "align": "left",
        },
        "legend": {"font": {"color": palette.muted, "size": 12}},
        "shapedefaults": {
            "line": {"color": palette.accent, "width": 1},
            "fillcolor": _translucent(palette.accent, 0.10),
        },
        "annotationdefaults": {"font": {"color": palette.muted, "size": 12}},
        "xaxis": axis,
        "yaxis": axis,
        "bargap": 0.35,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "meta": {"actiscope": scheme},
    }
    return {"layout": layout}


TEMPLATES: dict[str, dict[str, Any]] = {scheme: _template(scheme) for scheme in SCHEMES}
"""Per scheme, what `figure.layout.template` and the browser's `Plotly.relayout` take."""
