"""On a feature's page: from a bar to its examples, to the document, to the next feature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.feature_links import feature_href
from tests.e2e.conftest import DESKTOP, PHONE
from tests.e2e.screens import Screen
from tests.servers import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Screen]
SAE, WITHOUT_STORE = "demo-l1-res", "demo-l2-res"
SLOW_MS = 120_000  # all sections of the page are asked for at once, beside other tests
SECTIONS = (
    "#feature-examples .as-line", "#feature-intervals .as-line", "#feature-tokens table",
    "#feature-related-correlation table", "#feature-code pre",
    "#feature-decoder .barlayer .point",
)  # fmt: skip


@pytest.fixture(scope="module")
def store_id(extracted: Callable[[str], str]) -> str:
    """A finished extraction of the SAE."""
    return extracted(SAE)


@pytest.fixture(scope="module")
def one(server: Server, store_id: str) -> dict[str, Any]:
    """A feature with more examples than are shown at once."""
    asked = f"/api/v1/saes/{SAE}/features?store_id={store_id}&range=n:25..120&limit=1"
    return dict(server.get(asked)["items"][0])


def filled_in(screen: Screen) -> None:
    """Wait until every section stands."""
    for ready in SECTIONS:
        screen.expect(screen.page.locator(ready).first).to_be_attached(timeout=SLOW_MS)
    screen.expect(screen.page.locator(".as-loading:visible")).to_have_count(0, timeout=SLOW_MS)


def choose_a_bar(screen: Screen) -> None:
    """Click the first bar of the histogram: Plotly reports what it has seen hovered."""
    bar = screen.page.locator("#activations .barlayer .point path").first
    bar.scroll_into_view_if_needed(timeout=SLOW_MS)
    bar.hover(force=True)
    hovered = screen.page.locator("#activations .hoverlayer .hovertext").first
    hovered.wait_for(timeout=SLOW_MS)
    screen.page.mouse.down()
    screen.page.mouse.up()
    screen.page.wait_for_function("() => new URLSearchParams(location.search).has('low')")


def test_from_the_extraction_to_examples_a_document_and_the_next_feature(
    open_screen: Open, one: dict[str, Any], store_id: str
) -> None:
    path = f"/extraction?id={store_id}&feature={one['feature']}"
    screen = open_screen(path, bypass_csp=True, reduced_motion="reduce")
    page, expect = screen.page, screen.expect
    page.get_by_role("link", name="All about it").click(timeout=SLOW_MS)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(f"Feature {one['feature']}")
    screen.wait_for_query(store=store_id)
    examples, place = page.locator("#feature-examples .as-line"), page.locator("#examples")
    expect(place).to_contain_text(f"20 of {one['n']} activations", timeout=SLOW_MS)
    page.get_by_role("button", name="More", exact=True).click()
    expect(examples).to_have_count(min(40, one["n"]))

    star = page.locator("#feature-star")
    after = "false" if star.get_attribute("aria-pressed") == "true" else "true"
    star.click()
    expect(star).to_have_attribute("aria-pressed", after)
    choose_a_bar(screen)
    page.reload()
    filled_in(screen)
    expect(star).to_have_attribute("aria-pressed", after)
    expect(place).to_contain_text("activations from")
    page.get_by_role("button", name="All examples", exact=True).click()
    expect(examples).to_have_count(20)
    screen.wait_for_query(low=None)

    chip = page.locator("#intervals .as-chip-act").first
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#intervals .as-hit").first).to_be_visible()
    examples.first.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("mark")).to_be_visible()
    page.wait_for_function("() => new URLSearchParams(location.search).has('at')")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    screen.wait_for_query(at=None)

    page.get_by_role("link", name="Next", exact=True).click()
    expect(heading).not_to_have_text(f"Feature {one['feature']}")
    expect(examples.first).to_be_visible(timeout=SLOW_MS)
    page.set_viewport_size(PHONE)
    page.wait_for_function(
        "width => document.documentElement.scrollWidth <= width", arg=PHONE["width"]
    )


@pytest.mark.thorough
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing(open_screen: Open, one: dict[str, Any], viewport: Any) -> None:
    path = feature_href(SAE, one["feature"])
    screen = open_screen(path, viewport=viewport, bypass_csp=True, reduced_motion="reduce")
    filled_in(screen)
    screen.assert_accessible()
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.mark.usefixtures("store_id")
def test_without_a_store_or_a_feature_the_page_says_what_to_do(
    open_screen: Open, server: Server
) -> None:
    screen = open_screen(feature_href(SAE, 999_999))
    page, expect = screen.page, screen.expect
    error = page.locator("#feature-head-error")
    expect(error).to_contain_text("its features are 0 to", timeout=SLOW_MS)
    expect(page.locator(".as-section:visible")).to_have_count(0)
    if server.get(f"/api/v1/extractions?sae_id={WITHOUT_STORE}")["items"]:
        return  # another test has made a store of it meanwhile
    screen.goto(feature_href(WITHOUT_STORE, 3))
    link = page.get_by_role("link", name="Extract its features over a corpus")
    expect(link).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#examples")).to_be_hidden(timeout=SLOW_MS)
