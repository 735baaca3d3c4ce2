"""The real server as a process and a real Chromium in front of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.screens import Screen
from tests.servers import Server

playwright_api = pytest.importorskip("playwright.sync_api")

LONG_PROMPT = "def f("
EXTRACTION_S = 300  # that one may take where other tests run beside it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser on a busy machine may miss its time once: tried again, and reported as such."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser(chromium_path: Path) -> Iterator[Any]:
    """One Chromium for the session."""
    with playwright_api.sync_playwright() as api:
        launched = api.chromium.launch(
            executable_path=str(chromium_path), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`python app.py`, with the demo model resident after a first small run."""
    with Server(tmp_path_factory.mktemp("e2e"), ACTISCOPE_DEVICE="cpu") as started:
        warm = {"prompt": "warm up", "max_tokens": 1}
        status, _ = started.call("POST", "/api/v1/playground/activations/run", warm)
        assert status == 200, started.log.read_text()
        yield started


@pytest.fixture(scope="session")
def long_run(server: Server) -> dict[str, float]:
    """Fields of the form under which the model writes for more than a second."""
    n_ctx = server.get("/api/v1/models")["items"][0]["n_ctx"]
    for seed in range(1, 50):
        fields = {"max_tokens": min(n_ctx - 16, 2000), "temperature": 1.0, "seed": seed}
        body = {"prompt": LONG_PROMPT, "chat_template": "off", "sae_ids": [], **fields}
        answer = server.call("POST", "/api/v1/playground/activations/run", body)[1]
        if answer["run_summary"]["finish_reason"] == "length":
            return {name.replace("_", " ").capitalize(): n for name, n in fields.items()}
    raise AssertionError("the demo model ends every text early")


@pytest.fixture(scope="session")
def extracted(server: Server) -> Callable[[str], str]:
    """The name of a finished extraction of an SAE: any that is there, else a small one."""

    def finished(sae_id: str) -> str:
        asked = f"/api/v1/extractions?sae_id={sae_id}&status=succeeded&limit=1"
        for there in server.get(asked)["items"]:
            return str(there["extraction_id"])
        body = {"sae_ids": [sae_id], "corpus_id": "demo", "max_tokens": 1500}
        status, answer = server.call("POST", "/api/v1/extractions", body)
        assert status == 202, answer
        (started,) = answer["items"]
        address = f"/api/v1/jobs/{started['job_id']}"
        deadline = time.monotonic() + EXTRACTION_S
        while (job := server.get(address))["finished_at"] is None:
            assert time.monotonic() < deadline, job
            time.sleep(0.1)
        assert job["status"] == "succeeded", job["error_message"]
        return str(started["extraction_id"])

    return finished


@pytest.fixture
def open_screen(browser: Any, server: Server) -> Iterator[Callable[..., Screen]]:
    """Opens pages in browser contexts of their own; at the end no page may have complained."""
    screens: list[Screen] = []

    def opened(path: str = "/", **options: Any) -> Screen:
        context = browser.new_context(**{"viewport": DESKTOP, "accept_downloads": True, **options})
        context.set_default_timeout(30_000)
        screens.append(Screen(context, server.url))
        return screens[-1].goto(path)

    yield opened
    for screen in screens:
        screen.page.context.close()
    assert [c for screen in screens for c in screen.complaints] == []


@pytest.fixture
def screen(open_screen: Callable[..., Screen]) -> Screen:
    """The playground on a desktop."""
    return open_screen()
