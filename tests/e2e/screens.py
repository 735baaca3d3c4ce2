"""What a user does and sees, in the words of the user."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

TOKEN = ".as-tok:not(.sp)"


class Screen:
    """A page in a browser context of its own."""

    def __init__(self, context: Any, base: str) -> None:
        self.base = base
        self.complaints: list[str] = []
        self.page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", self._answered)

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _answered(self, response: Any) -> None:
        foreign = not response.url.startswith((self.base, "data:", "blob:"))
        if response.status >= 400 or foreign:
            self.complaints.append(f"{response.status} {response.url}")

    def goto(self, path: str) -> Screen:
        """Open the path and wait until its page stands."""
        self.page.goto(self.base + path)
        self.page.locator("h1").wait_for()
        return self

    def assert_accessible(self) -> None:
        """That axe finds nothing, in light and in dark; the context must bypass the CSP."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            self.page.locator(f"html[data-mantine-color-scheme={scheme}]").wait_for()
            found = axe.run(self.page).response["violations"]
            assert [(one["id"], [n["html"][:200] for n in one["nodes"][:5]]) for one in found] == []

    def write(self, prompt: str, fields: Mapping[str, float] | None = None) -> Screen:
        """Fill in the form as raw text; further fields by their label."""
        self.page.get_by_text("Raw text", exact=True).click()
        self.prompt.fill(prompt)
        for label, value in (fields or {"Max tokens": 6}).items():
            self.page.get_by_label(label, exact=True).fill(str(value))
        return self

    def run(self) -> Screen:
        """Press Run and wait until the address names the run."""
        before = self.run_id
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.wait_for_function(
            "before => { const id = new URLSearchParams(location.search).get('run');"
            " return id && id !== before; }",
            arg=before,
        )
        return self

    def finish(self, status: str = "Done") -> Screen:
        """Wait until the run's status and tokens are shown."""
        self.page.locator("#run-head .as-status", has_text=status).wait_for()
        self.tokens.first.wait_for()
        return self

    def expect(self, locator: Any) -> Any:
        """Playwright's assertions on it, which wait: a page fills in piece by piece."""
        from playwright.sync_api import expect

        expect.set_options(timeout=30_000)
        return expect(locator)

    def features(self) -> Screen:
        """Wait until the figures stand."""
        self.bars.first.wait_for()
        self.page.locator("#run-heatmap .heatmaplayer image").first.wait_for()
        return self

    def wait_for_query(self, **expected: str | None) -> None:
        """Wait until the address carries these values (None: does not carry it)."""
        self.page.wait_for_function(
            "expected => { const query = new URLSearchParams(location.search);"
            " return Object.entries(expected).every(([k, v]) => query.get(k) === v); }",
            arg=expected,
        )

    def wait_for_count(self, selector: str, n: int) -> None:
        """Wait until exactly `n` elements match."""
        self.page.wait_for_function(
            "([selector, n]) => document.querySelectorAll(selector).length === n",
            arg=[selector, n],
        )

    @property
    def query(self) -> dict[str, str]:
        """What the address carries."""
        return {k: v[0] for k, v in parse_qs(urlsplit(self.page.url).query).items()}

    @property
    def run_id(self) -> str | None:
        """The run that the address names."""
        in_path = re.search(r"/runs/([^/?#]+)", self.page.url)
        return in_path.group(1) if in_path else self.query.get("run")

    @property
    def prompt(self) -> Any:
        """The field of the prompt."""
        return self.page.get_by_role("textbox", name="Prompt", exact=True)

    @property
    def tokens(self) -> Any:
        """The visible tokens of the finished run."""
        return self.page.locator(f"#run-strip {TOKEN}")

    @property
    def bars(self) -> Any:
        """The bars of the strongest features."""
        return self.page.locator("#run-top-features .barlayer .point path")

    def click_bar(self, index: int) -> None:
        """Click a bar near its foot."""
        # Plotly lays a sheet over its marks that takes the pointer: force aims through it. It
        # reports a click on what it has seen hovered.
        self.bars.nth(index).hover(position={"x": 6, "y": 6}, force=True)
        self.page.locator("#run-top-features .hoverlayer .hovertext").first.wait_for()
        self.page.mouse.down()
        self.page.mouse.up()
