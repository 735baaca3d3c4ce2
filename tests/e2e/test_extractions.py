"""An extraction from the rail to a feature's examples, through a reload in the middle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import DESKTOP, PHONE
from tests.e2e.screens import Screen
from tests.servers import Server

pytestmark = pytest.mark.browser
THOROUGH = pytest.mark.thorough

Open = Callable[..., Screen]
SLOW_MS = 180_000  # the runner shares its machine with the other tests


@pytest.fixture(scope="module")
def extraction_id(server: Server) -> str:
    """A finished extraction."""
    body = {"sae_ids": ["demo-l1-res"], "corpus_id": "demo", "max_tokens": 1500}
    status, answer = server.call("POST", "/api/v1/extractions", body)
    assert status == 202, answer
    started = answer["items"][0]
    job = f"/api/v1/jobs/{started['job_id']}"
    for _ in range(1800):
        if server.get(job)["finished_at"] is not None:
            break
        server.get(f"{job}/log")
    assert server.get(job)["status"] == "succeeded", server.get(job)["error_message"]
    return str(started["extraction_id"])


def start(screen: Screen, tokens: int) -> None:
    """From the rail to a new extraction of the demo over its corpus."""
    page = screen.page
    page.get_by_role("navigation").get_by_text("Extractions").click()
    page.get_by_role("link", name="Start a new extraction").first.click()
    page.wait_for_url("**/extractions/new*")
    screen.goto("/extractions/new?corpus=demo")  # other tests add corpora
    page.get_by_label("demo-l1-res", exact=True).check()
    screen.expect(page.locator("#new-why")).to_contain_text("1 of at most 50 chosen")
    page.locator(".as-options summary").click()
    page.get_by_label("Token budget").fill(str(tokens))
    screen.expect(page.locator("#new-estimate .as-numbers")).to_contain_text(f"{tokens:,}")
    button = page.get_by_role("button", name="Start", exact=True)
    screen.expect(button).to_be_enabled()
    button.click()
    page.wait_for_url("**/extraction?id=*")


def test_an_extraction_is_started_followed_through_a_reload_and_read(open_screen: Open) -> None:
    screen = open_screen("/")
    page, expect = screen.page, screen.expect
    start(screen, 3000)
    expect(page.get_by_role("heading", level=1)).to_have_text("demo-l1-res over Demo")
    expect(page.locator("#extraction-head .as-status").first).to_be_visible()
    page.reload()
    done = page.locator("#extraction-head .as-status", has_text="Done")
    expect(done).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#extraction-head .as-numbers")).to_contain_text("3,000")
    for figure in ("density", "l0"):
        expect(page.locator(f"#extraction-{figure} .barlayer .point").first).to_be_visible()
    expect(page.locator("#extraction-speed .scatterlayer path").first).to_be_visible()
    feature = page.locator(".as-row-button").first
    name = feature.text_content()
    feature.click()
    expect(page.get_by_role("heading", name=f"Feature {name[1:]}")).to_be_visible()
    expect(page.locator(".as-examples mark").first).to_be_visible()
    screen.wait_for_query(feature=name[1:])
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.locator("#extraction-place")).to_contain_text("21 to 40")


def test_one_that_runs_is_cancelled_and_removed(open_screen: Open) -> None:
    screen = open_screen("/")
    page, expect = screen.page, screen.expect
    start(screen, 300_000)
    page.get_by_role("button", name="Cancel the extraction").click()
    page.get_by_role("button", name="Cancel it").click()
    cancelled = page.locator("#extraction-head .as-status", has_text="Cancelled")
    expect(cancelled).to_be_visible(timeout=SLOW_MS)
    page.get_by_role("button", name="Remove the extraction").click()
    expect(page.get_by_text("for good")).to_be_visible()
    page.get_by_role("button", name="Remove it").click()
    expect(page.locator("#extraction-error [role=alert]")).to_be_visible()


def test_the_list_has_it_and_its_sae_leads_to_a_new_one(
    open_screen: Open, extraction_id: str
) -> None:
    screen = open_screen("/extractions?sae=demo-l1-res&status=succeeded")
    link = screen.page.locator(f"#extractions-items a[href$='{extraction_id}']")
    screen.expect(link).to_be_visible()
    screen.page.goto(screen.base + "/sae?id=demo-l1-res")
    screen.page.get_by_role("link", name="Extract features").click()
    screen.expect(screen.page.get_by_label("demo-l1-res", exact=True)).to_be_checked()
    screen.wait_for_query(sae="demo-l1-res")


@pytest.mark.parametrize(
    "viewport",
    [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone", marks=THOROUGH)],
)
def test_axe_finds_nothing_on_the_page_of_one(
    open_screen: Open, extraction_id: str, viewport: Any
) -> None:
    for path in (f"/extraction?id={extraction_id}&feature=12", "/extractions?status=succeeded"):
        screen = open_screen(path, viewport=viewport, bypass_csp=True, reduced_motion="reduce")
        ready = "#extractions-items > li" if path.startswith("/extractions") else ".as-row-button"
        screen.page.locator(ready).first.wait_for()
        if "feature" in path:
            screen.page.locator("#extraction-feature h2").wait_for()
        screen.assert_accessible()
        assert screen.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
