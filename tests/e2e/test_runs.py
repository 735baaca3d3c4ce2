"""The list of runs and the page of one run."""

from __future__ import annotations

import re
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
    screen.expect(items).to_have_count(1)
    screen.expect(screen.page.get_by_label("Text in prompt")).to_have_value("WöMBAT")
    screen.page.get_by_label("Text in prompt").fill("no such prompt anywhere")
    screen.page.get_by_text("No run passes these filters").wait_for()


def test_older_runs_are_loaded_on_demand(open_screen: Open, made: Callable[..., str]) -> None:
    for i in range(52):
        made(f"paging {i}", max_tokens=1, sae_ids=[])
    screen = open_screen("/runs?text=paging")
    items = screen.page.locator("#runs-items > li")
    screen.expect(items).to_have_count(50)
    screen.page.get_by_role("button", name="Load older").click()
    screen.expect(items).to_have_count(52)
    screen.expect(screen.page.get_by_role("button", name="Load older")).to_be_hidden()


def test_notes_are_kept_in_the_list_and_on_the_page(
    open_screen: Open, made: Callable[..., str], server: Server
) -> None:
    run_id = made("noteworthy")
    screen = open_screen("/runs?text=noteworthy")
    screen.page.get_by_label(f"Notes of run {run_id}").fill("seen in the list")
    screen.page.get_by_text("Kept").wait_for()
    screen.goto(f"/runs/{run_id}").finish()
    notes = screen.page.get_by_label("Notes", exact=True)
    screen.expect(notes).to_have_value("seen in the list")
    notes.fill("seen on the page")
    screen.page.get_by_text("Kept").wait_for()
    screen.page.reload()
    screen.expect(notes).to_have_value("seen on the page")


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
    assert screen.run_id != run_id
    screen.expect(screen.tokens).to_have_text(texts, use_inner_text=True)


def test_duplicating_fills_in_the_form(open_screen: Open, made: Callable[..., str]) -> None:
    run_id = made("duplicate me", temperature=0.3, seed=11)
    screen = open_screen(f"/runs/{run_id}").finish()
    screen.page.get_by_text("Duplicate into the form").click()
    screen.expect(screen.prompt).to_have_value("duplicate me")
    screen.expect(screen.page.get_by_label("Temperature")).to_have_value("0.3")
    screen.expect(screen.page.get_by_label("Seed")).to_have_value("11")


def test_the_page_of_a_run_says_everything(open_screen: Open, made: Callable[..., str]) -> None:
    screen = open_screen(f"/runs/{made('tell me everything', seed=3)}").finish().features()
    for text in ("Facts", "Provenance", "Request", "As code", "Download"):
        screen.expect(screen.page.get_by_text(text, exact=True).first).to_be_visible()
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


@pytest.mark.thorough
def test_a_run_cut_by_kill_is_shown_and_runs_again_with_one_click(
    browser: Any, tmp_path: Path
) -> None:
    # Long enough that it still writes when a busy machine shows its page.
    body = make_endless(tmp_path / "home") | {"max_tokens": 2000}
    with Server(tmp_path / "home", ACTISCOPE_DEVICE="cpu") as server:
        run_id = server.start_long_run(body)
        server.kill()
        server.start()
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(60_000)
        screen = Screen(context, server.url).goto(f"/runs/{run_id}").finish("Interrupted")
        page = screen.page
        page.locator("#run-facts .as-facts", has_text="Interrupted").wait_for()
        screen.tokens.nth(19).wait_for()
        page.get_by_role("tab", name="Output").click()
        screen.expect(page.locator("#run-code-output")).not_to_have_text(re.compile(r"^\s*$"))
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


def test_a_recent_run_opens(open_screen: Open, made: Callable[..., str]) -> None:
    made("the most recent one")
    screen = open_screen("/")
    screen.page.locator("#play-recent a", has_text="the most recent one").first.click()
    screen.finish()
    screen.page.get_by_role("button", name="Run again").wait_for()
