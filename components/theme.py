"""The look, in one place: Mantine theme, surfaces, and the one scale that shows activation.

Blue is what can be acted on (links, focus, the pinned feature); amber is activation and nothing
else. The scale runs even in perceived lightness from the surface to its top, darker with the value
on light and brighter on dark, so that it survives colour blindness and a grey print. Its levels
reach the browser as CSS variables in `assets/activation.css`, which `python -m components.theme`
writes; a test keeps the two together.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

from components.colour import ink_on, oklch

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, Scheme] = ("light", "dark")

LEVELS = 32  # steps of the activation scale; 0 means "does not fire" and has no colour

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'


@dataclass(frozen=True, slots=True)
class Palette:
    """The surfaces and inks of one colour scheme."""

    page: str
    surface: str
    raised: str
    line: str
    ink: str
    muted: str
    accent: str
    accent_soft: str
    activation: str  # the scale's colour where one is enough: bars, marks
    activation_strong: str
    neutral: str  # fills that carry no value


PALETTES: dict[Scheme, Palette] = {
    "light": Palette(
        page=oklch(0.982, 0.003, 255),
        surface="#ffffff",
        raised="#ffffff",
        line=oklch(0.915, 0.006, 255),
        ink=oklch(0.25, 0.018, 258),
        muted=oklch(0.50, 0.018, 258),
        accent=oklch(0.48, 0.15, 258),
        accent_soft=oklch(0.955, 0.02, 258),
        activation=oklch(0.76, 0.145, 66),
        activation_strong=oklch(0.52, 0.12, 55),
        neutral=oklch(0.86, 0.01, 258),
    ),
    "dark": Palette(
        page=oklch(0.185, 0.010, 258),
        surface=oklch(0.222, 0.012, 258),
        raised=oklch(0.262, 0.014, 258),
        line=oklch(0.325, 0.014, 258),
        ink=oklch(0.93, 0.006, 258),
        muted=oklch(0.735, 0.014, 258),
        accent=oklch(0.76, 0.11, 255),
        accent_soft=oklch(0.31, 0.04, 258),
        activation=oklch(0.70, 0.135, 66),
        activation_strong=oklch(0.85, 0.12, 80),
        neutral=oklch(0.42, 0.014, 258),
    ),
}

# (lightness, chroma, hue) at the first and at the last level
_RAMP: dict[Scheme, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "light": ((0.955, 0.048, 88.0), (0.635, 0.165, 44.0)),
    "dark": ((0.300, 0.035, 60.0), (0.840, 0.150, 78.0)),
}


def _ramp(scheme: Scheme) -> tuple[str, ...]:
    (l0, c0, h0), (l1, c1, h1) = _RAMP[scheme]
    steps = (i / (LEVELS - 1) for i in range(LEVELS))
    return tuple(
        oklch(l0 + t * (l1 - l0), c0 + t**0.8 * (c1 - c0), h0 + t * (h1 - h0)) for t in steps
    )


ACTIVATION_SCALE: dict[Scheme, tuple[str, ...]] = {s: _ramp(s) for s in SCHEMES}
"""Background of a token at level 1..LEVELS (index level - 1), per colour scheme."""

ACTIVATION_INK: dict[Scheme, tuple[str, ...]] = {
    s: tuple(ink_on(colour, PALETTES[s].ink) for colour in ACTIVATION_SCALE[s]) for s in SCHEMES
}
"""Text colour on the background of the same index."""


def _shades(hue: float, chroma: float, lightness: tuple[float, ...]) -> list[str]:
    return [oklch(level, chroma * min(1.0, (1 - level) * 2.4), hue) for level in lightness]


_ACCENT = _shades(258, 0.15, (0.965, 0.92, 0.85, 0.77, 0.69, 0.62, 0.56, 0.52, 0.48, 0.42))
_GRAY = _shades(258, 0.02, (0.982, 0.965, 0.94, 0.90, 0.85, 0.72, 0.56, 0.46, 0.35, 0.25))
_dark = PALETTES["dark"]
_DARK = [
    _dark.ink, oklch(0.82, 0.010, 258), _dark.muted, oklch(0.60, 0.014, 258), _dark.line,
    oklch(0.29, 0.014, 258), _dark.surface, _dark.page, oklch(0.16, 0.010, 258),
    oklch(0.13, 0.010, 258),
]  # fmt: skip

THEME: dict[str, Any] = {
    "primaryColor": "accent",
    "primaryShade": {"light": 8, "dark": 8},
    "autoContrast": True,
    "respectReducedMotion": True,
    "black": PALETTES["light"].ink,
    "colors": {"accent": _ACCENT, "gray": _GRAY, "dark": _DARK},
    "fontFamily": SANS,
    "fontFamilyMonospace": MONO,
    "defaultRadius": "sm",
    "fontSizes": {
        "xs": "0.75rem",
        "sm": "0.8125rem",
        "md": "0.875rem",
        "lg": "1rem",
        "xl": "1.25rem",
    },
    "headings": {
        "fontFamily": SANS,
        "fontWeight": "600",
        "sizes": {
            "h1": {"fontSize": "1.375rem", "lineHeight": "1.3"},
            "h2": {"fontSize": "1rem", "lineHeight": "1.4"},
            "h3": {"fontSize": "0.875rem", "lineHeight": "1.4"},
        },
    },
    "components": {
        "Paper": {"defaultProps": {"radius": "md", "withBorder": True}},
        "Button": {"defaultProps": {"size": "sm"}},
        "ActionIcon": {"defaultProps": {"variant": "subtle"}},
        "Anchor": {"defaultProps": {"underline": "hover"}},
    },
}

INDEX_STRING = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>{%title%}</title>
        {%favicon%}
        {%css%}
    </head>
    <body>
        {%app_entry%}
        <footer>
            {%config%}
            {%scripts%}
            {%renderer%}
        </footer>
    </body>
</html>
"""


def level_of(value: float | None, top: float) -> int:
    """The scale's level for the size of `value`, with `top` at the end; 0: does not fire."""
    size = abs(value or 0.0)
    if not size > 0 or not top > 0:
        return 0
    return min(LEVELS, 1 + int(min(1.0, size / top) * (LEVELS - 1) + 0.5))


def activation_css() -> str:
    """The style sheet of the activation scale and the palettes, as variables and level classes."""
    blocks = ["/* Written by `python -m components.theme`; edit there. */"]
    for scheme in SCHEMES:
        palette = PALETTES[scheme]
        names = list(palette.__slots__)
        lines = [f"  --as-{n.replace('_', '-')}: {getattr(palette, n)};" for n in names]
        pairs = zip(ACTIVATION_SCALE[scheme], ACTIVATION_INK[scheme], strict=True)
        lines += [f"  --as-l{i}: {c}; --as-i{i}: {ink};" for i, (c, ink) in enumerate(pairs, 1)]
        stops = ", ".join(ACTIVATION_SCALE[scheme][:: LEVELS // 8] + ACTIVATION_SCALE[scheme][-1:])
        lines.append(f"  --as-ramp: linear-gradient(to right, {stops});")
        root = ':root[data-mantine-color-scheme="dark"]' if scheme == "dark" else ":root"
        blocks.append("\n".join([f"{root} {{", f"  color-scheme: {scheme};", *lines, "}"]))
    blocks += [
        f".as-tok.l{i} {{ background: var(--as-l{i}); color: var(--as-i{i}); }}"
        for i in range(1, LEVELS + 1)
    ]
    return "\n".join(blocks) + "\n"


if __name__ == "__main__":
    sys.stdout.write(activation_css())
