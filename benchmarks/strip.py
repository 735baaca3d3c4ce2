"""A strip of 2,000 tokens, from the arrival of its data in Chromium until it is painted.

The page of a stored run is opened in a real browser. The arrival is the end of the response that
carries the strip; painted is when the browser has finished the frame with the tokens in it (the
strip notes that itself, in `data-paint-ms`). The anchor is a blank page of the same browser that
gets as many bare coloured spans in one go.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.made_runs import Shape, store_run
from benchmarks.result import Result, Skipped, interleaved, quartiles
from services.database import open_database
from services.runs.store import RunStore
from services.settings import Settings
from tests.databases import chromium
from tests.servers import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_TOKENS = 2_000
_GOAL_MS = 200
_TIMEOUT_MS = 180_000
_PAINTED = "#run-strip[data-paint-ms]"

# Notes when the strip has been painted, on the clock that the resource timings use.
_WATCH = """
new MutationObserver((records) => {
  for (const { target } of records)
    if (target.id === "run-strip") window.__painted = performance.now();
}).observe(document, { attributes: true, attributeFilter: ["data-paint-ms"], subtree: true });
"""

_BARE_SPANS = """
(n) => new Promise((done) => {
  document.body.replaceChildren();
  const startedAt = performance.now(), spans = document.createDocumentFragment();
  for (let i = 0; i < n; i++) {
    const span = document.createElement("span");
    span.textContent = " token" + (i % 97);
    span.style.background = `rgba(200, 80, 0, ${(i % 10) / 10})`;
    spans.append(span);
  }
  document.body.append(spans);
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - startedAt)));
})
"""

# The strip's own figures, and the end of the response that carried it: the largest one.
_FIGURES = """
() => {
  const { paintMs, painted } = document.getElementById("run-strip").dataset;
  const answers = performance.getEntriesByType("resource").filter(
    (entry) => entry.name.includes("_dash-update-component") && entry.responseEnd < window.__painted
  );
  const data = answers.sort((a, b) => b.decodedBodySize - a.decodedBodySize)[0];
  return {
    tokens: Number(painted), ownMs: Number(paintMs), bytes: data.decodedBodySize,
    ms: window.__painted - data.responseEnd, fromStartMs: window.__painted,
    answerMs: data.responseEnd - data.startTime,
  };
}
"""


def measure(quick: bool) -> list[Result]:
    """Milliseconds until painted, light scheme."""
    figures: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as home, _browser() as browser:
        address = f"/runs/{_stored_run(Path(home))}"
        with Server(Path(home), ACTISCOPE_PRELOAD="false") as server:
            page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
            page.add_init_script(_WATCH)
            blank = browser.new_page(viewport={"width": 1280, "height": 900})
            sides = {
                "strip": lambda: _painted(page, server.url + address, figures),
                "bare": lambda: float(blank.evaluate(_BARE_SPANS, _TOKENS)),
            }
            for warm_up in sides.values():
                warm_up()
            figures.clear()
            samples = interleaved(sides, 2 if quick else 15)
    return [_result(figures, samples["bare"])]


def _result(figures: list[dict[str, float]], bare: list[float]) -> Result:
    medians = {name: statistics.median(f[name] for f in figures) for name in figures[0]}
    return Result(
        name=f"strip of {_TOKENS:,} tokens, from the arrival of its data until painted",
        value=medians["ms"],
        unit="ms",
        anchor=f"{_TOKENS:,} bare spans on a blank page: {statistics.median(bare):.0f} ms",
        repetitions=len(figures),
        spread=quartiles([f["ms"] for f in figures]),
        goal=_GOAL_MS,
        details={
            "ratio to the anchor": medians["ms"] / statistics.median(bare),
            "of which from the strip's own rendering until painted, ms": medians["ownMs"],
            "from navigation until painted, ms": medians["fromStartMs"],
            "from the request of the data until its arrival, ms": medians["answerMs"],
            "KiB of the response with the strip and the figures beside it": medians["bytes"] / 1024,
        },
    )


def _stored_run(home: Path) -> str:
    """The id of a run of 2,000 tokens, half of them read and half written, with two SAEs."""
    url = Settings(home=home, database_url="").effective_database_url
    with closing(open_database(url)) as database:
        store = RunStore(database)
        return store_run(store, Shape(_TOKENS, prompt=_TOKENS // 2, n_saes=2), seed=1)


@contextmanager
def _browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        raise Skipped("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=str(path), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )


def _painted(page: Page, url: str, figures: list[dict[str, float]]) -> float:
    """Open the run; its figures are added to `figures`."""
    page.goto(url, timeout=_TIMEOUT_MS)
    page.wait_for_selector(_PAINTED, state="attached", timeout=_TIMEOUT_MS)
    found: dict[str, Any] = page.evaluate(_FIGURES)
    if found["tokens"] != _TOKENS:
        raise RuntimeError(f"{found['tokens']} tokens were painted")
    figures.append(found)
    return float(found["ms"])
