"""The activation scale is even, readable and the same in Python, CSS and JavaScript."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from components.colour import contrast, luminance, oklch
from components.figure_theme import TEMPLATES
from components.theme import (
    ACTIVATION_INK,
    ACTIVATION_SCALE,
    LEVELS,
    PALETTES,
    SCHEMES,
    activation_css,
    level_of,
)

ASSETS = Path(__file__).resolve().parents[3] / "assets"
REMOTE = ("http://", "https://", "//cdn", "@import")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_is_readable_on_every_level(scheme: str) -> None:
    pairs = zip(ACTIVATION_SCALE[scheme], ACTIVATION_INK[scheme], strict=True)
    assert min(contrast(background, ink) for background, ink in pairs) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lightness_runs_one_way_in_even_steps(scheme: str) -> None:
    lightness = [luminance(colour) ** (1 / 3) for colour in ACTIVATION_SCALE[scheme]]
    steps = [b - a for a, b in pairwise(lightness)]
    assert len(lightness) == LEVELS
    assert all(step < 0 for step in steps) or all(step > 0 for step in steps)
    assert max(map(abs, steps)) < 3 * min(map(abs, steps))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_first_level_differs_from_the_surface(scheme: str) -> None:
    assert ACTIVATION_SCALE[scheme][0] != PALETTES[scheme].surface
    assert contrast(ACTIVATION_SCALE[scheme][0], PALETTES[scheme].surface) > 1.08


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("ink", ["ink", "muted", "accent"])
@pytest.mark.parametrize("surface", ["page", "surface", "raised", "accent_soft"])
def test_every_ink_is_readable_on_every_surface(scheme: str, ink: str, surface: str) -> None:
    palette = PALETTES[scheme]
    assert contrast(getattr(palette, ink), getattr(palette, surface)) >= 4.5


def test_levels_grow_with_the_value() -> None:
    levels = [level_of(value / 100, 1.0) for value in range(101)]
    assert levels == sorted(levels)
    assert levels[0] == 0
    assert levels[1] == 1
    assert levels[-1] == LEVELS


@pytest.mark.parametrize(
    ("value", "top"), [(None, 1), (0, 1), (1, 0), (float("nan"), 1), (1, float("nan"))]
)
def test_what_does_not_fire_has_no_level(value: float | None, top: float) -> None:
    assert level_of(value, top) == 0


def test_a_negative_value_has_the_level_of_its_size() -> None:
    assert [level_of(-v, 9) for v in range(10)] == [level_of(v, 9) for v in range(10)]


def test_a_value_over_the_top_has_the_last_level() -> None:
    assert level_of(900, 10) == LEVELS


def test_the_style_sheet_is_the_one_that_the_theme_writes() -> None:
    assert (ASSETS / "activation.css").read_text() == activation_css()


def test_the_browser_has_the_same_number_of_levels() -> None:
    assert f"const LEVELS = {LEVELS};" in (ASSETS / "actiscope_tokens.js").read_text()


def test_figures_use_the_same_scale() -> None:
    for scheme in SCHEMES:
        scale = TEMPLATES[scheme]["layout"]["coloraxis"]["colorscale"]
        assert [colour for _, colour in scale] == list(ACTIVATION_SCALE[scheme])
        assert [at for at, _ in scale] == [i / (LEVELS - 1) for i in range(LEVELS)]


def test_black_and_white_are_the_ends_of_oklch() -> None:
    assert oklch(0, 0, 0) == "#000000"
    assert oklch(1, 0, 0) == "#ffffff"
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_colours_outside_srgb_are_brought_inside() -> None:
    assert len(oklch(0.5, 0.9, 140)) == 7


@pytest.mark.parametrize("path", sorted(ASSETS.glob("*.*")), ids=lambda p: p.name)
def test_assets_fetch_nothing_and_inject_nothing(path: Path) -> None:
    text = path.read_text()
    assert not [word for word in REMOTE if word in text]
    assert not [
        word for word in ("innerHTML", "insertAdjacent", "eval(", "Function(") if word in text
    ]


@pytest.mark.parametrize("path", sorted(ASSETS.glob("*.js")), ids=lambda p: p.name)
def test_scripts_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 300
