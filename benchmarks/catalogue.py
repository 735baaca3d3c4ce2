"""Searching sae-lens' list of pretrained SAEs, from a keystroke until its first result is painted.

The page *Add SAE* in Chromium, on a server of its own; a query is typed letter by letter, each
awaited. The anchor is what the search replaces: reading through the texts of all entries, in this
process, without page, network or ranking.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.result import Result, Skipped, percentile, quartiles
from tests.databases import chromium
from tests.servers import Server

if TYPE_CHECKING:
    from playwright.sync_api import Page

_QUERY = "gemma-2-2b layer 12 16k"
_GOAL_MS = 100
_TIMEOUT_MS = 60_000

# Painted is the first frame in which the results are others than at the keystroke.
_WATCH = """
const shown = () => document.querySelector("#add-results")?.textContent;
addEventListener("input", () => {
  Object.assign(window, { __typed: performance.now(), __painted: 0, __before: shown() });
}, true);
new MutationObserver(() => {
  if (window.__painted === 0 && shown() !== window.__before)
    requestAnimationFrame(() => setTimeout(() => {
      window.__painted ||= performance.now();
    }));
}).observe(document, { childList: true, characterData: true, subtree: true });
"""


def measure(quick: bool) -> list[Result]:
    """Milliseconds per keystroke."""
    with (
        tempfile.TemporaryDirectory() as home,
        Server(Path(home), ACTISCOPE_PRELOAD="false") as server,
    ):
        times = _typed(server.url, 1 if quick else 5)
    scans = [_scan_ms() for _ in range(3 if quick else 15)]
    return [
        Result(
            name="catalogue: from a keystroke until its first result is painted",
            value=statistics.median(times),
            unit="ms",
            anchor=f"reading all entries in Python: {statistics.median(scans):.0f} ms",
            repetitions=len(times),
            spread=quartiles(times),
            goal=_GOAL_MS,
            details={
                "P95, ms": percentile(times, 95),
                "search alone at the server, ms": _search_ms(),
                "entries": len(_texts()),
            },
        )
    ]


def _typed(url: str, rounds: int) -> list[float]:
    path = chromium()
    if path is None:
        raise Skipped("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    times: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(path), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(_WATCH)
        for number in range(rounds + 1):  # the first one reads the list and warms up
            found = _type_query(page, url)
            times += found if number else []
        browser.close()
    return times


def _type_query(page: Page, url: str) -> list[float]:
    """Milliseconds of each keystroke after which the answer is another one."""
    page.goto(f"{url}/saes/add", timeout=_TIMEOUT_MS)
    field = page.get_by_label("Search all SAEs that sae-lens knows")
    field.wait_for(timeout=_TIMEOUT_MS)
    field.press_sequentially(_QUERY[:3])
    page.locator("#add-results li").first.wait_for(timeout=_TIMEOUT_MS)
    times = []
    for letter in _QUERY[3:]:
        with page.expect_response(lambda r: "_dash-update-component" in r.url):
            field.press_sequentially(letter)
        page.wait_for_timeout(150)  # what is painted after this is no answer to the letter
        took: Any = page.evaluate("window.__painted ? window.__painted - window.__typed : null")
        if took is not None:  # a space changes nothing
            times.append(float(took))
    return times


def _texts() -> list[str]:
    from services.sae.directory import Directory

    page = Directory().search("", limit=100_000)
    return [f"{e.release} {e.sae_id} {e.model} {e.hook} {e.repo_id}".lower() for e in page.items]


def _scan_ms(texts: list[str] = []) -> float:  # noqa: B006  (read once)
    texts += [] if texts else _texts()
    words = _QUERY.split()
    started = time.perf_counter()
    sum(all(word in text for word in words) for text in texts)
    return 1000 * (time.perf_counter() - started)


def _search_ms() -> float:
    from services.sae.directory import Directory

    directory = Directory()
    directory.search(_QUERY)
    started = time.perf_counter()
    for end in range(3, len(_QUERY) + 1):
        directory.search(_QUERY[:end])
    return 1000 * (time.perf_counter() - started) / (len(_QUERY) - 2)
