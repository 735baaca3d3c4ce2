"""On a feature's page: a text of one's own, kept as a probe, judged at a threshold."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from components.feature_links import feature_href
from tests.e2e.conftest import DESKTOP, PHONE
from tests.e2e.screens import Screen
from tests.servers import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Screen]
SAE, TEXT, OTHER = "demo-l1-res", "The cat sat on the mat", "import os"


@pytest.fixture
def feature(server: Server) -> int:
    """A feature without probes that fires on the one text and not on the other."""
    for index in range(500, 700):
        address = f"/api/v1/saes/{SAE}/features/{index}"
        if server.get(f"{address}/probes")["probes"]:
            continue  # of an attempt before
        fires, silent = (
            server.call("POST", f"{address}/test", {"text": text})[1]["argmax"]
            for text in (TEXT, OTHER)
        )
        if fires is not None and silent is None:
            return index
    raise AssertionError("no feature tells them apart")


@pytest.mark.thorough
def test_a_text_is_tested_kept_and_judged(open_screen: Open, feature: int) -> None:
    screen = open_screen(
        feature_href(SAE, feature), viewport=DESKTOP, bypass_csp=True, color_scheme="light"
    )
    page, expect = screen.page, screen.expect
    section = page.locator("#probes")
    expect(section).to_contain_text("No probes yet")
    for text, button in ((TEXT, "It should fire here"), (OTHER, "It should not")):
        section.get_by_label("Your text").fill(text)
        section.get_by_role("button", name="Test", exact=True).click()
        result = "Largest activation" if text == TEXT else "does not fire"
        expect(section.locator("#probe-result")).to_contain_text(result)
        section.get_by_role("button", name=button, exact=True).click()
        expect(section.locator("#probe-list")).to_contain_text(text)
    expect(section.locator("#probe-result .as-tok.sp")).to_have_text("<bos>")
    expect(section.locator("#probe-list dl")).to_contain_text("100 %1 of 1 · 95 %:")
    section.get_by_label("Fires above").fill("100000")
    expect(section.locator("#probe-list")).to_contain_text("silent: wrong")
    expect(section.locator("#probe-list dl")).to_contain_text("0 %0 of 1")
    section.get_by_role("button", name="Measure again").click()
    expect(section.get_by_role("button", name="Measure again")).to_be_enabled()
    screen.assert_accessible()
    page.set_viewport_size(PHONE)
    section.get_by_role("button", name=f"Remove the probe {OTHER}").click()
    expect(section.locator("#probe-list")).not_to_contain_text(OTHER)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert screen.complaints == []
