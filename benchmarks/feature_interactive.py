"""The page of a feature in Chromium: from asking for the address until it stands.

A server of its own, an extraction of 60,000 tokens of the demo, pages of typical features, each in
a new tab, after one that warms up. Stands: the head, the histogram and the first examples are there
and the star can be pressed; whole: so is every section. The anchor, in the same rounds, is this
application's smallest page, *Health*, which costs what every page costs: Dash, the frame, fonts.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.result import Result, Skipped, percentile, quartiles
from components.feature_links import feature_href
from tests.databases import chromium
from tests.servers import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_SAE = "demo-l2-res"
_TIMEOUT_MS = 60_000
_STANDS = ("#feature-star", "#activations .barlayer .point", "#feature-examples .as-line")
_WHOLE = (
    "#feature-intervals .as-line", "#feature-tokens table", "#feature-decoder .barlayer .point",
    "#feature-related-correlation table", "#feature-code pre",
)  # fmt: skip
_HEALTH = ("main table, main dl, main .as-section",)


def measure(quick: bool) -> list[Result]:
    """Milliseconds until the page stands, and until it is whole."""
    n_tokens, n_pages = (2000, 2) if quick else (60_000, 12)
    with (
        tempfile.TemporaryDirectory() as home,
        Server(Path(home), ACTISCOPE_PRELOAD="false") as server,
        _browser() as browser,
    ):
        paths = [feature_href(_SAE, feature) for feature in _features(server, n_tokens, n_pages)]
        stands, whole, smallest = _opened(browser, server.url, paths)
    anchor = f"the page Health: {statistics.median(smallest):.0f} ms"
    return [
        Result(
            name=f"page of a feature in Chromium, {name}",
            value=statistics.median(times),
            unit="ms",
            anchor=anchor,
            repetitions=len(times),
            spread=quartiles(times),
            details={
                "P95, ms": percentile(times, 95),
                "÷ Health": statistics.median(times) / statistics.median(smallest),
            },
        )
        for name, times in (
            ("until it can be read and used", stands),
            ("until every section stands", whole),
        )
    ]


@contextmanager
def _browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        raise Skipped("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(path), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


def _features(server: Server, n_tokens: int, n: int) -> list[int]:
    """Features of middling density, one more than is measured, of an extraction made here."""
    body = {"sae_ids": [_SAE], "corpus_id": "demo", "max_tokens": n_tokens}
    status, answer = server.call("POST", "/api/v1/extractions", body)
    if status != 202:
        raise RuntimeError(f"no extraction: {answer}")
    job = f"/api/v1/jobs/{answer['items'][0]['job_id']}"
    while (found := server.get(job))["finished_at"] is None:
        time.sleep(0.2)
    if found["status"] != "succeeded":
        raise RuntimeError(f"the extraction has failed: {found['error_message']}")
    asked = f"/api/v1/saes/{_SAE}/features?sort=n&descending=true&offset=200&limit={n + 1}"
    return [item["feature"] for item in server.get(asked)["items"]]


def _opened(
    browser: Browser, url: str, paths: list[str]
) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of each page: stands, whole, and those of the smallest page between them."""
    stands, whole, smallest = [], [], []
    for number, path in enumerate(paths):
        first, last = _times(browser, url + path, _STANDS, _WHOLE)
        (health,) = _times(browser, f"{url}/health", _HEALTH)
        if number:  # the first one warms up
            stands.append(first)
            whole.append(last)
            smallest.append(health)
    return stands, whole, smallest


def _times(browser: Browser, url: str, *groups: tuple[str, ...]) -> list[float]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    started, found = time.perf_counter(), []
    page.goto(url, wait_until="commit", timeout=_TIMEOUT_MS)
    for group in groups:
        for selector in group:
            page.locator(selector).first.wait_for(state="attached", timeout=_TIMEOUT_MS)
        found.append(1000 * (time.perf_counter() - started))
    page.close()
    return found
