"""Colour arithmetic: OKLCH to sRGB and contrast, so that scales are even by computation.

OKLCH is a perceptual space: equal steps of lightness look equal. Colours outside sRGB are brought
inside by lowering the chroma, which keeps lightness and hue.
"""

from __future__ import annotations

from math import cos, radians, sin

WHITE = "#ffffff"
BLACK = "#000000"


def _linear(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _encoded(channel: float) -> int:
    channel = min(1.0, max(0.0, channel))
    value = 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055
    return round(255 * value)


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """The colour as `#rrggbb`; lightness 0..1, hue in degrees; chroma lowered to fit sRGB."""
    while chroma > 0 and any(
        not -1e-4 <= channel <= 1.0001 for channel in _linear(lightness, chroma, hue)
    ):
        chroma -= 0.002
    return "#" + "".join(
        f"{_encoded(channel):02x}" for channel in _linear(lightness, max(0.0, chroma), hue)
    )


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` after WCAG, 0..1."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours after WCAG, 1..21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def ink_on(background: str, preferred: str) -> str:
    """`preferred` where it reads well (7:1) on `background`, else the better of black and white."""
    if contrast(preferred, background) >= 7:
        return preferred
    return max((BLACK, WHITE), key=lambda ink: contrast(ink, background))
