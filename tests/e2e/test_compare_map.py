"""Features compared, and chosen on their map, in a browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import PHONE
from tests.e2e.screens import Screen

pytestmark = pytest.mark.browser

Open = Callable[..., Screen]
SAE = "demo-l1-res"
SLOW_MS = 60_000


@pytest.fixture(scope="module")
def store_id(extracted: Callable[[str], str]) -> str:
    """A finished extraction of the SAE."""
    return extracted(SAE)


@pytest.mark.usefixtures("store_id")
def test_features_are_compared_added_and_taken_out(open_screen: Open) -> None:
    screen = open_screen(f"/features/compare?f={SAE}:15")
    page, expect = screen.page, screen.expect
    expect(page.get_by_text("One feature alone")).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="cosine").first.click()
    expect(page.get_by_role("heading", name="How they are related")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator(".as-chosen")).to_have_count(2)
    page.get_by_label("Feature", exact=True).fill("20")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".as-chosen")).to_have_count(3)
    expect(page.locator("#compare-body .as-heat").first.locator("tbody tr")).to_have_count(3)
    assert page.url.count("f=") == 3
    page.reload()
    expect(page.locator("#compare-body .as-heat").first.locator("tbody tr")).to_have_count(
        3, timeout=SLOW_MS
    )
    screen.assert_accessible()
    page.get_by_role("button", name=f"Take out {SAE} feature 20").click()
    expect(page.locator(".as-chosen")).to_have_count(2)
    expect(page.locator("#compare-body .as-heat").first.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Feature", exact=True).fill("99999")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#main .as-error")).to_contain_text("0 to 1535")


def loop(page: Any) -> None:
    """A loop around the middle of the map."""
    box = page.locator("canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 150, y - 120)
    page.mouse.down()
    for dx, dy in ((150, -120), (150, 120), (-150, 120), (-150, -120)):
        page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()


@pytest.mark.usefixtures("store_id")
def test_features_are_chosen_on_the_map_and_by_family(open_screen: Open) -> None:
    screen = open_screen(f"/features/map?sae={SAE}&threshold=0.5")
    page, expect = screen.page, screen.expect
    chosen = page.locator("#map-selection")
    expect(page.locator("canvas")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator(".as-map-legend")).to_contain_text("Density")
    expect(page.locator(".as-families > li").first).to_be_visible(timeout=SLOW_MS)
    page.locator("canvas").scroll_into_view_if_needed()
    loop(page)
    expect(chosen).to_contain_text("features chosen", timeout=SLOW_MS)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(chosen).to_contain_text("None are chosen")
    page.get_by_label("Around feature").fill("7")
    page.get_by_label("How many").fill("5")
    page.get_by_role("button", name="Choose", exact=True).click()
    expect(chosen).to_contain_text("5 features chosen")
    expect(chosen.get_by_role("link", name="#7", exact=True)).to_be_visible()
    page.get_by_role("button", name="Show family 1 on the map").click()
    expect(chosen).not_to_contain_text("5 features chosen")
    screen.assert_accessible()
    name = f"Mine {time.time_ns()}"  # a test that is tried again finds what the first try has left
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Keep these families").click()
    kept = page.locator(".as-kept li", has_text=name)
    expect(kept).to_be_visible()
    kept.get_by_role("link", name=name, exact=True).click()
    expect(page.locator("#families-sizes")).to_contain_text("The kept set", timeout=SLOW_MS)
    page.locator("#families-sizes").get_by_role("link").click()
    expect(page.locator("#families-sizes")).to_contain_text("features in them", timeout=SLOW_MS)
    kept.get_by_role("button", name="Remove").click()
    expect(kept).to_have_count(0)


@pytest.mark.usefixtures("store_id")
@pytest.mark.thorough
def test_both_pages_fit_a_phone(open_screen: Open) -> None:
    for path, shown in (
        (f"/features/compare?f={SAE}:15&f={SAE}:58&f={SAE}:3", ".as-heat"),
        (f"/features/map?sae={SAE}&colour=family&ids=3-9", ".as-map-legend"),
    ):
        screen = open_screen(path, viewport=PHONE, has_touch=True)
        screen.expect(screen.page.locator(shown).first).to_be_visible(timeout=SLOW_MS)
        width = screen.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"]
        screen.assert_accessible()
