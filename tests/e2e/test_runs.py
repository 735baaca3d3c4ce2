"""The list of runs and the page of one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.screens import Screen
from tests.made_models import make_endless
from tests.servers import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Screen]


@pytest.fixture
def made(server: Server) -> Iterator[Callable[..., str]]:
    """Makes finished runs by REST."""

    def run(prompt: str, **more: Any) -> str:
        body = {"prompt": prompt, "max_tokens": 3, "chat_template": "off", **more}
        status, answer = server.call("POST", "/api/v1/playground/activations/run", body)
        assert status == 200, answer
        return answer["request_id"]

    yield run


def test_filters_are_in_the_address_and_come_back_with_it(
    open_screen: Open, made: Callable[..., str]
) -> None:
    made("a unique wÖmbat story")
    made("something else")
    screen = open_screen("/runs")
    screen.page.get_by_label("Text in prompt").fill("WöMBAT")
    screen.wait_for_query(text="WöMBAT")
    items = screen.page.locator("#runs-items > li")
    screen.page.wait_for_function(
        "() => document.querySelectorAll('#runs-items > li').length === 1"
    )
    screen.page.reload()
    items.first.wait_for()
    assert items.count() == 1
    assert screen.page.get_by_label("Text in prompt").input_value() == "WöMBAT"
    screen.page.get_by_label("Text in prompt").fill("no such prompt anywhere")
    screen.page.get_by_text("No run passes these filters").wait_for()


def test_older_runs_are_loaded_on_demand(open_screen: Open, made: Callable[..., str]) -> None:
    for i in range(52):
        made(f"paging {i}", max_tokens=1, sae_ids=[])
    screen = open_screen("/runs?text=paging")
    items = screen.page.locator("#runs-items > li")
    items.nth(49).wait_for()
    assert items.count() == 50
    screen.page.get_by_role("button", name="Load older").click()
    items.nth(51).wait_for()
    assert items.count() == 52
    assert not screen.page.get_by_role("button", name="Load older").is_visible()


def test_notes_are_kept_in_the_list_and_on_the_page(
    open_screen: Open, made: Callable[..., str], server: Server
) -> None:
    run_id = made("noteworthy")
    screen = open_screen("/runs?text=noteworthy")
    screen.page.get_by_label(f"Notes of run {run_id}").fill("seen in the list")
    screen.page.get_by_text("Kept").wait_for()
    screen.goto(f"/runs/{run_id}").finish()
    notes = screen.page.get_by_label("Notes", exact=True)
    notes.wait_for()
    assert notes.input_value() == "seen in the list"
    notes.fill("seen on the page")
    screen.page.get_by_text("Kept").wait_for()
    screen.page.reload()
    screen.finish()
    assert screen.page.get_by_label("Notes", exact=True).input_value() == "seen on the page"


def test_deleting_asks_first(open_screen: Open, made: Callable[..., str]) -> None:
    run_id = made("doomed in the list")
    screen = open_screen("/runs?text=doomed in the list")
    ask = screen.page.get_by_label(f"Delete run {run_id}")
    ask.click()
    screen.page.get_by_role("button", name="Keep").click()
    screen.page.get_by_role("dialog").wait_for(state="hidden")
    ask.click()
    screen.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    screen.page.get_by_text("No run passes these filters").wait_for()


def test_a_run_is_deleted_from_its_page(open_screen: Open, made: Callable[..., str]) -> None:
    run_id = made("doomed on the page")
    screen = open_screen(f"/runs/{run_id}").finish()
    screen.page.get_by_role("button", name="Delete").click()
    screen.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    screen.page.wait_for_url("**/runs")
    screen.goto(f"/runs/{run_id}")
    screen.page.locator("#run-error [role=alert]").wait_for()


def test_running_again_gives_a_new_run_of_the_same_request(
    open_screen: Open, made: Callable[..., str]
) -> None:
    run_id = made("run me again", temperature=0.0, seed=7)
    screen = open_screen(f"/runs/{run_id}").finish()
    texts = screen.tokens.all_inner_texts()
    screen.page.get_by_role("button", name="Run again").click()
    screen.page.wait_for_function("id => !location.pathname.endsWith(id)", arg=run_id)
    screen.finish()
    assert screen.run_id != run_id
    assert screen.tokens.all_inner_texts() == texts


def test_duplicating_fills_in_the_form(open_screen: Open, made: Callable[..., str]) -> None:
    run_id = made("duplicate me", temperature=0.3, seed=11)
    screen = open_screen(f"/runs/{run_id}").finish()
    screen.page.get_by_text("Duplicate into the form").click()
    prompt = screen.prompt
    prompt.wait_for()
    assert prompt.input_value() == "duplicate me"
    assert screen.page.get_by_label("Temperature").input_value() == "0.3"
    assert screen.page.get_by_label("Seed").input_value() == "11"


def test_the_page_of_a_run_says_everything(open_screen: Open, made: Callable[..., str]) -> None:
    screen = open_screen(f"/runs/{made('tell me everything', seed=3)}").finish().features()
    for text in ("Facts", "Provenance", "Request", "As code", "Download"):
        assert screen.page.get_by_text(text, exact=True).first.is_visible()
    screen.page.get_by_role("tab", name="Provenance").click()
    screen.page.locator("#run-code-provenance", has_text="seed").wait_for()
    screen.page.get_by_role("tab", name="curl").click()
    screen.page.locator("#run-code-curl", has_text="/api/v1/playground/activations/run").wait_for()


def test_a_run_that_does_not_exist_offers_nothing(open_screen: Open) -> None:
    screen = open_screen("/runs/no-such-run")
    screen.page.locator("#run-error [role=alert]").wait_for()
    for name in ("Run again", "Delete"):
        assert not screen.page.get_by_role("button", name=name).is_visible()
    assert not screen.page.get_by_text("Duplicate into the form").is_visible()


def test_a_run_cut_by_kill_is_shown_and_runs_again_with_one_click(
    browser: Any, tmp_path: Path
) -> None:
    body = make_endless(tmp_path / "home")
    with Server(tmp_path / "home", ACTISCOPE_DEVICE="cpu") as server:
        run_id = start_long_run(server, body)
        server.kill()
        server.start()
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(60_000)
        screen = Screen(context, server.url).goto(f"/runs/{run_id}").finish("Interrupted")
        page = screen.page
        page.locator("#run-facts .as-facts").wait_for()
        assert "Interrupted" in page.locator("#run-facts").inner_text()
        assert screen.tokens.count() >= 20
        page.get_by_role("tab", name="Output").click()
        assert page.locator("#run-code-output").inner_text().strip()
        page.get_by_role("tab", name="curl").click()
        page.locator("#run-code-curl", has_text="Once upon a time").wait_for()
        page.get_by_label("Notes", exact=True).fill("cut short")
        page.get_by_text("Kept").wait_for()
        page.get_by_role("button", name="Run again").click()
        page.wait_for_function("id => !location.pathname.endsWith(id)", arg=run_id)
        page.locator("#run-live .as-tok").nth(10).wait_for()
        page.get_by_role("button", name="Stop").click()
        screen.finish("Cancelled")
        assert screen.complaints == []
        context.close()


def start_long_run(server: Server, body: dict[str, Any], tokens: int = 40) -> str:
    """A run of which at least `tokens` are written and kept, and many more to come."""
    runs = "/api/v1/playground/activations"
    status, started = server.call("POST", f"{runs}/run", body, {"Prefer": "respond-async"})
    assert status == 202, started
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        run = server.get(f"{runs}/{started['request_id']}")
        assert run["status"] in ("queued", "running"), run
        if len(run["output"]["token_ids"]) >= tokens:
            return started["request_id"]
        time.sleep(0.05)
    raise TimeoutError("the run wrote nothing")


def test_a_recent_run_opens(open_screen: Open, made: Callable[..., str]) -> None:
    made("the most recent one")
    screen = open_screen("/")
    screen.page.locator("#play-recent a", has_text="the most recent one").first.click()
    screen.finish()
    screen.page.get_by_role("button", name="Run again").wait_for()
