"""From a token to its feature, a label on it, and back: the label is on the strip."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from tests.e2e.conftest import DESKTOP, PHONE
from tests.e2e.screens import Screen

pytestmark = pytest.mark.browser

Open = Callable[..., Screen]
SAE = "demo-l1-res"
SLOW_MS = 120_000  # all sections of a feature's page are asked for at once
PROMPT = "def area(width, height):\n    return width * height"


@pytest.fixture(scope="module")
def extraction_id(extracted: Callable[[str], str]) -> str:
    """A finished extraction of the SAE."""
    return extracted(SAE)


def test_from_a_token_to_its_feature_and_back_with_a_label(
    open_screen: Open, extraction_id: str
) -> None:
    screen = open_screen("/?" + urlencode({"prompt": PROMPT, "sae": SAE}), bypass_csp=True)
    page, expect = screen.page, screen.expect
    expect(screen.prompt).to_have_value(PROMPT)
    page.get_by_label("Max tokens", exact=True).fill("4")
    screen.run().finish()
    screen.tokens.nth(2).click()
    name = page.locator("#run-strip a.as-card-id").first
    feature = name.inner_text().removeprefix("#")
    name.click()

    page.wait_for_url(f"**/features/{SAE}/{feature}")
    for shown in (
        "#feature-intervals .as-tok",
        "#feature-decoder .barlayer .point",
        "#feature-runs-items a",
    ):
        expect(page.locator(shown).first).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#feature-runs-items")).to_contain_text("def area")
    page.get_by_role("textbox", name="Label", exact=True).fill("names <b>of</b> sizes")
    page.get_by_role("textbox", name="Category", exact=True).fill("code")
    page.get_by_label("Your name").fill("Ada")
    notes = "**width** [no](javascript:alert(1)) ![far](https://example.org/x.png)"
    page.get_by_label("Notes (Markdown)").fill(notes)
    page.keyboard.press("Control+Enter")
    card = page.locator(".as-label-card")
    expect(card.locator(".as-label-text")).to_have_text("names <b>of</b> sizes")
    expect(card).to_contain_text("Ada")
    expect(card.locator("strong", has_text="width")).to_be_visible()
    expect(card.locator("img, a[href*=alert]")).to_have_count(0)

    page.go_back()
    row = page.locator("#run-strip .as-card-row").first
    expect(row.locator(".as-card-label")).to_have_text("names <b>of</b> sizes")
    screen.features()
    expect(page.locator("#run-top-features .ytick a", has_text="names <b>of")).to_have_count(1)
    screen.assert_accessible()


def test_the_queue_goes_on_and_the_history_takes_back(
    open_screen: Open, extraction_id: str
) -> None:
    screen = open_screen(f"/labels?sae={SAE}", bypass_csp=True)
    page, expect = screen.page, screen.expect
    name = page.locator(".as-queue-name")
    expect(page.locator("#queue-examples .as-tok").first).to_be_visible(timeout=SLOW_MS)
    first = name.inner_text()
    page.get_by_role("textbox", name="Label", exact=True).fill("queued")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#queue-said")).to_contain_text(f"{first} is “queued”")
    expect(name).not_to_have_text(first)
    screen.assert_accessible()
    page.set_viewport_size(PHONE)
    expect(name).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    page.set_viewport_size(DESKTOP)
    page.get_by_role("tab", name="History").click()
    screen.wait_for_query(tab="history")
    line = page.locator(".as-change", has_text="queued").first
    line.get_by_role("button", name="Undo").click()
    expect(page.locator("#label-history-said")).to_contain_text("Taken back at 1 feature")
    expect(page.locator(".as-change.as-undone", has_text="queued")).to_have_count(1)
    screen.assert_accessible()
