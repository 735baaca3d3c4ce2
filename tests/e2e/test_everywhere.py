"""What holds on every page: reachable, accessible in light and dark, wide and narrow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import DESKTOP, PHONE
from tests.e2e.screens import Screen
from tests.servers import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Screen]


@pytest.fixture(scope="module")
def run_id(server: Server) -> str:
    """A finished run with features, of an SAE with a verdict."""
    status, task = server.call("POST", "/api/v1/saes/demo-l1-res/preflight", {})
    assert status == 202, task
    while server.get(f"/api/v1/tasks/{task['task_id']}")["finished_at"] is None:
        time.sleep(0.1)
    body = {"prompt": "The cat sat on the mat", "max_tokens": 6, "chat_template": "off"}
    return server.call("POST", "/api/v1/playground/activations/run", body)[1]["request_id"]


def settle(screen: Screen, path: str) -> None:
    """Wait until all that loads on the page has come."""
    if "runs/" in path or "run=" in path:
        screen.finish().features()
    elif path == "/runs":
        screen.page.locator("#runs-items > li").first.wait_for()
    elif path in REGISTRY:
        screen.page.locator(REGISTRY[path]).first.wait_for()
    elif path == "/health":
        screen.page.locator("#health-content").get_by_text("database").first.wait_for()
    elif path == "/":
        screen.page.locator("#play-recent a").first.wait_for()


REGISTRY = {
    "/saes": "#saes-items tbody tr",
    "/saes?text=no+such+name": "#saes-items .as-empty",
    "/sae?id=demo-l1-res": "#sae-figure-1 .barlayer .point",
    "/sae?id=nobody": "[role=alert]",
    "/saes/add?q=gemma": "#add-results li",
    "/saes/add": "#add-results [role=status]",
    "/saes/add?source=local": "#add-tabs",
    "/models": "#models-content .as-model",
    "/models?id=actiscope-demo": "#models-content .as-facts",
    "/corpora": "#corpora-items tbody tr",
    "/corpora?id=demo&context=32": "#corpus-windows li",
    "/corpora?id=nobody": "[role=alert]",
    "/corpora/add": "#add-corpus-upload label",
    "/corpora/add?source=dataset": "#add-corpus-tabs",
    "/jobs": "#jobs-items .as-empty, #jobs-items tbody tr",
    "/jobs?id=00000000-0000-7000-8000-000000000000": "[role=alert]",
    "/extractions?status=failed": "#extractions-summary .as-empty",
    "/extractions/new?sae=demo-l1-res&corpus=demo": "#new-estimate .as-numbers",
    "/extraction?id=nobody": "#extraction-error [role=alert]",
}
"""Pages of all that is listed, and what each shows once it is complete."""

PATHS = (
    "/", "/?run={}&feature=1&token=3", "/runs", "/runs/{}", "/health", "/nothing", *REGISTRY,
)  # fmt: skip


ON_A_PHONE = (
    "/", "/?run={}&feature=1&token=3", "/runs/{}", "/sae?id=demo-l1-res", "/saes", "/models",
    "/corpora?id=demo&context=32", "/extractions/new?sae=demo-l1-res&corpus=demo",
)  # fmt: skip
"""Those that are narrow always; the others when all is looked at."""

CASES = [pytest.param(DESKTOP, path, id=f"desktop-{path}") for path in PATHS] + [
    pytest.param(
        PHONE, path, id=f"phone-{path}",
        marks=[] if path in ON_A_PHONE else [pytest.mark.thorough],
    )
    for path in PATHS
]  # fmt: skip


@pytest.mark.parametrize(("viewport", "path"), CASES)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    open_screen: Open, run_id: str, path: str, viewport: Any
) -> None:
    screen = open_screen(
        path.format(run_id), viewport=viewport, bypass_csp=True, reduced_motion="reduce"
    )
    settle(screen, path)
    if viewport is DESKTOP or path in ("/", "/runs", "/saes", "/extractions/new"):
        screen.assert_accessible()  # what differs on a phone is the frame
    width = screen.page.evaluate("document.documentElement.scrollWidth")
    assert width <= viewport["width"]


def test_every_page_is_reached_by_the_rail(screen: Screen) -> None:
    for name in (
        "Runs",
        "SAEs",
        "Models",
        "Corpora",
        "Extractions",
        "Jobs",
        "Health",
        "Playground",
    ):
        screen.page.get_by_role("navigation").get_by_text(name).click()
        screen.page.get_by_role("heading", level=1, name=name).wait_for()


def test_the_health_page_names_every_part(open_screen: Open) -> None:
    screen = open_screen("/health")
    for part in ("database", "model", "demo-l1-res", "device", "memory", "queue", "disk"):
        screen.page.locator("#health-content").get_by_text(part).first.wait_for()
    screen.page.get_by_role("button", name="Refresh").click()


@pytest.mark.parametrize(
    "path",
    [
        "/?run=nope&feature=x",
        "/runs/nope?token=-1",
        "/runs?status=lost",
        "/?from=%00",
        "/a/b?c=%ff",
    ],
)
def test_wrong_addresses_are_answered_by_a_page(open_screen: Open, path: str) -> None:
    open_screen(path).page.locator("h1").wait_for()
