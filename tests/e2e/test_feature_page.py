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


@pytest.fixture(scope="module")
def features(server: Server) -> list[dict[str, Any]]:
    """The features of a finished extraction, the one with the most activations first."""
    found = server.get(f"/api/v1/extractions?sae_id={SAE}&status=succeeded&limit=1")["items"]
    if not found:
        body = {"sae_ids": [SAE], "corpus_id": "demo", "max_tokens": 1500}
        status, answer = server.call("POST", "/api/v1/extractions", body)
        assert status == 202, answer
        job = f"/api/v1/jobs/{answer['items'][0]['job_id']}"
        for _ in range(1800):
            if server.get(job)["finished_at"] is not None:
                break
            server.get(f"{job}/log")
        assert server.get(job)["status"] == "succeeded", server.get(job)["error_message"]
    asked = f"/api/v1/saes/{SAE}/features?sort=n&descending=true&limit=400"
    return list(server.get(asked)["items"])


def middling(features: list[dict[str, Any]]) -> dict[str, Any]:
    """One with more examples than are shown at once."""
    return next(one for one in features if 25 <= one["n"] < 120)


def test_from_the_histogram_to_examples_a_document_and_the_next_feature(
    open_screen: Open, features: list[dict[str, Any]]
) -> None:
    one = middling(features)
    screen = open_screen(feature_href(SAE, one["feature"]))
    page, expect = screen.page, screen.expect
    examples, place = page.locator("#feature-examples .as-line"), page.locator("#examples")
    expect(examples).to_have_count(20)
    expect(place).to_contain_text(f"20 of {one['n']} activations")
    page.get_by_role("button", name="More", exact=True).click()
    expect(examples).to_have_count(min(40, one["n"]))

    page.get_by_label("From", exact=True).fill(str(one["max"]))
    screen.wait_for_query(low=f"{one['max']:g}")
    expect(place).to_contain_text("activations from")
    page.get_by_role("button", name="All examples", exact=True).click()
    screen.wait_for_query(low=None)
    expect(examples).to_have_count(20)

    bar = page.locator("#activations .barlayer .point").first
    bar.click(force=True)
    page.wait_for_function("() => new URLSearchParams(location.search).has('low')")
    page.reload()
    expect(place).to_contain_text("activations from")

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
    expect(page.get_by_role("heading", level=1)).not_to_have_text(f"Feature {one['feature']}")
    expect(examples.first).to_be_visible()


def test_the_extraction_leads_to_the_page_and_a_star_stays(
    open_screen: Open, features: list[dict[str, Any]], server: Server
) -> None:
    one = middling(features)
    found = server.get(f"/api/v1/extractions?sae_id={SAE}&status=succeeded&limit=1")["items"][0]
    store = found["extraction_id"]
    screen = open_screen(f"/extraction?id={store}&feature={one['feature']}")
    page, expect = screen.page, screen.expect
    page.get_by_role("link", name="All about it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Feature {one['feature']}")
    screen.wait_for_query(store=store)
    star = page.locator("#feature-star")
    before = star.get_attribute("aria-pressed")
    after = "false" if before == "true" else "true"
    star.click()
    expect(star).to_have_attribute("aria-pressed", after)
    page.reload()
    expect(star).to_have_attribute("aria-pressed", after)


@pytest.mark.parametrize(
    "viewport", [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")]
)
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    open_screen: Open, features: list[dict[str, Any]], viewport: Any
) -> None:
    path = feature_href(SAE, middling(features)["feature"])
    screen = open_screen(path, viewport=viewport, bypass_csp=True, reduced_motion="reduce")
    page, expect = screen.page, screen.expect
    for ready in ("#feature-examples .as-line", "#feature-intervals .as-line",
                  "#feature-related-correlation table", "#feature-tokens table",
                  "#feature-code pre", "#feature-decoder .barlayer .point"):  # fmt: skip
        expect(page.locator(ready).first).to_be_attached()
    expect(page.locator(".as-loading")).to_have_count(0)
    screen.assert_accessible()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_without_a_store_or_a_feature_the_page_says_what_to_do(open_screen: Open) -> None:
    screen = open_screen(feature_href(WITHOUT_STORE, 3))
    page, expect = screen.page, screen.expect
    expect(page.get_by_role("link", name="Extract its features over a corpus")).to_be_visible()
    expect(page.locator("#examples")).to_be_hidden()
    page.goto(screen.base + feature_href(SAE, 999_999))
    expect(page.get_by_text("its features are 0 to")).to_be_visible()
    expect(page.locator("#code")).to_be_hidden()
