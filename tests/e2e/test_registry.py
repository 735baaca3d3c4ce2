"""Models and SAEs as a user registers, measures, uses and removes them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.demo import ARTEFACTS
from tests.e2e.conftest import DESKTOP, PHONE
from tests.e2e.screens import Screen
from tests.servers import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Screen]
VERDICT = "Good"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two SAEs to add, one of which is half of one."""
    home = tmp_path_factory.mktemp("registry")
    for name in ("harbour", "lighthouse"):
        shutil.copytree(ARTEFACTS / "saes" / "demo-l1-res", home / "import" / name)
    (home / "import" / "broken" / "ae.pt").parent.mkdir()
    (home / "import" / "broken" / "ae.pt").write_bytes(b"\x80\x04pickle")
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """A server of its own: these tests add and remove what others count on."""
    with Server(home, ACTISCOPE_DEVICE="cpu") as started:
        yield started


@pytest.fixture(scope="module")
def measured(server: Server) -> None:
    """The demo's SAEs have verdicts."""
    for name in ("demo-l1-res", "demo-l2-res"):
        status, task = server.call("POST", f"/api/v1/saes/{name}/preflight", {})
        assert status == 202, task
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        items = {one["sae_id"]: one for one in server.get("/api/v1/saes")["items"]}
        if all(items[name]["verdict"] for name in ("demo-l1-res", "demo-l2-res")):
            return
        time.sleep(0.1)
    raise TimeoutError("no verdict")


def section(screen: Screen, title: str) -> Any:
    """The panel of that title."""
    return screen.page.locator(".as-section", has=screen.page.get_by_role("heading", name=title))


def test_a_folder_is_added_in_three_clicks_to_a_verdict(open_screen: Open, home: Path) -> None:
    screen = open_screen("/saes")
    page = screen.page
    page.get_by_role("link", name="Add SAE").click()
    page.get_by_role("tab", name="Folder or file").click()
    page.get_by_label("Path", exact=True).fill(str(home / "import" / "harbour"))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add", exact=True).click()
    screen.wait_for_query(source="local")
    outcome = page.locator(".as-outcome")
    screen.expect(outcome.locator(".as-verdict")).to_contain_text(VERDICT, timeout=120_000)
    task = screen.query["task"]
    page.reload()
    screen.expect(outcome).to_contain_text("harbour")
    assert screen.query["task"] == task
    outcome.get_by_role("link", name="Open in playground").click()
    page.get_by_role("heading", level=1, name="Playground").wait_for()
    screen.expect(page.locator("#play-form")).to_contain_text("harbour")
    screen.expect(page.locator("#play-form")).not_to_contain_text("demo-l2-res")


@pytest.mark.thorough
def test_a_second_browser_follows_the_same_task(open_screen: Open, server: Server) -> None:
    status, task = server.call("POST", "/api/v1/saes/demo-l1-res/preflight", {})
    assert status == 202, task
    screen = open_screen(f"/saes/add?task={task['task_id']}")
    screen.expect(screen.page.locator("#task-box")).to_contain_text("Done", timeout=120_000)
    screen.expect(screen.page.locator(".as-outcome")).to_contain_text("demo-l1-res")


def test_a_task_that_nobody_knows_says_so(open_screen: Open) -> None:
    screen = open_screen("/saes/add?task=gone")
    screen.expect(screen.page.locator("#task-box")).to_contain_text("tasks end with the server")
    screen.expect(screen.page.get_by_role("button", name="Cancel")).to_be_hidden()


def test_several_are_chosen_from_a_folder_and_what_is_none_is_named(
    open_screen: Open, home: Path
) -> None:
    screen = open_screen("/saes/add?source=local")
    page = screen.page
    page.get_by_label("Path", exact=True).fill(str(home / "import"))
    page.get_by_role("button", name="Look").click()
    boxes = page.get_by_role("checkbox", checked=True)
    screen.expect(boxes).to_have_count(2)
    screen.expect(page.get_by_text("These cannot be added")).to_be_visible()
    page.get_by_role("checkbox", name="harbour").click()
    page.get_by_role("button", name="Add", exact=True).click()
    outcome = page.locator(".as-outcome")
    screen.expect(outcome).to_contain_text("lighthouse", timeout=120_000)
    screen.expect(outcome).not_to_contain_text("harbour")


def test_a_folder_that_may_not_be_read_is_refused_with_the_way_out(open_screen: Open) -> None:
    screen = open_screen("/saes/add?source=local")
    screen.page.get_by_label("Path", exact=True).fill("/etc")
    screen.page.get_by_role("button", name="Look").click()
    screen.expect(screen.page.locator("#add-error")).to_contain_text("ACTISCOPE_LOCAL_ROOTS")


def test_the_catalogue_answers_each_keystroke(open_screen: Open) -> None:
    screen = open_screen("/saes/add")
    field = screen.page.get_by_label("Search all SAEs that sae-lens knows")
    field.press_sequentially("gemma-2-2b layer 12 16k", delay=30)
    first = screen.page.locator("#add-results li").first
    screen.expect(first).to_contain_text("layer_12/width_16k")
    screen.expect(first).to_contain_text("16,384 features")
    screen.wait_for_query(q="gemma-2-2b layer 12 16k")
    took_ms = screen.page.evaluate(KEYSTROKE)
    assert 0 < took_ms < 1500, "a keystroke is answered soon, also on a busy machine"
    field.fill("no such thing anywhere")
    screen.expect(screen.page.locator("#add-results")).to_contain_text("Nothing in the catalogue")


KEYSTROKE = """
() => new Promise(resolve => {
  const field = document.getElementById('add-search');
  const setter = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
  const started = performance.now();
  new MutationObserver((_, observer) => {
    observer.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - started));
  }).observe(document.getElementById('add-results'), {childList: true, subtree: true});
  setter.call(field, 'gpt2 layer 3');
  field.dispatchEvent(new Event('input', {bubbles: true}));
})
"""
"""Milliseconds from a change of the search field to the frame that shows other results."""


def test_offline_is_said(open_screen: Open) -> None:
    for path in ("/saes/add", "/models"):
        screen = open_screen(path)
        screen.expect(screen.page.get_by_text("Actiscope runs offline")).to_be_visible()


def test_filters_are_in_the_address(open_screen: Open, measured: None) -> None:
    screen = open_screen("/saes")
    rows = screen.page.locator("#saes-items tbody tr")
    screen.page.get_by_label("Name, model or repository").fill("demo-l2")
    screen.expect(rows).to_have_count(1)
    screen.wait_for_query(text="demo-l2")
    screen.page.reload()
    screen.expect(rows).to_have_count(1)
    screen.page.get_by_role("textbox", name="Verdict").click()
    screen.page.get_by_role("option", name="Broken").click()
    screen.wait_for_query(text="demo-l2", verdict="broken")
    screen.expect(screen.page.get_by_text("No SAE passes these filters")).to_be_visible()


def test_an_sae_says_all_that_was_measured(open_screen: Open, measured: None) -> None:
    screen = open_screen("/saes")
    screen.page.get_by_role("link", name="demo-l1-res").click()
    page = screen.page
    screen.expect(section(screen, "Verdict").locator(".as-verdict")).to_contain_text(VERDICT)
    for i in range(2):
        screen.expect(page.locator(f"#sae-figure-{i} .barlayer .point").first).to_be_visible()
    screen.expect(page.get_by_role("table", name="Measured numbers")).to_contain_text("FVU")
    screen.expect(section(screen, "Measured on")).to_contain_text("float32")
    page.get_by_role("tab", name="Config").click()
    screen.expect(page.locator("#sae-code-config")).to_contain_text("d_sae")
    page.get_by_role("tab", name="curl").click()
    screen.expect(page.locator("#sae-code-curl")).to_contain_text("/api/v1/saes/demo-l1-res")


@pytest.mark.thorough
def test_measuring_again_is_followed_on_the_page(open_screen: Open, measured: None) -> None:
    screen = open_screen("/sae?id=demo-l1-res")
    history = screen.page.get_by_role("table", name="Earlier measurements").locator("tbody tr")
    screen.expect(section(screen, "Verdict").locator(".as-verdict")).to_contain_text(VERDICT)
    before = history.count()
    screen.page.get_by_role("button", name="Measure again").click()
    screen.expect(screen.page.locator("#task-box")).to_contain_text("Done", timeout=120_000)
    screen.expect(history).to_have_count(max(2, before + 1))


def test_a_name_that_nobody_has_is_explained(open_screen: Open) -> None:
    for path in ("/sae?id=nobody", "/models?id=nobody"):
        screen = open_screen(path)
        screen.expect(screen.page.get_by_role("alert")).to_contain_text("nobody")


@pytest.mark.thorough
def test_an_sae_is_deleted_and_restored(open_screen: Open, measured: None) -> None:
    screen = open_screen("/sae?id=demo-l2-res")
    page = screen.page
    page.get_by_role("button", name="Delete demo-l2-res").click()
    dialog = page.get_by_role("dialog")
    screen.expect(dialog).to_contain_text("can be restored")
    dialog.get_by_role("button", name="Keep").click()
    screen.expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Delete demo-l2-res").click()
    dialog.get_by_role("button", name="Delete", exact=True).click()
    screen.expect(section(screen, "Verdict")).to_contain_text("Deleted")
    listed = open_screen("/saes").page.locator("#saes-items")
    screen.expect(listed).to_contain_text("demo-l1-res")
    screen.expect(listed).not_to_contain_text("demo-l2-res")
    page.get_by_role("button", name="Restore demo-l2-res").click()
    screen.expect(page.get_by_role("button", name="Delete demo-l2-res")).to_be_visible()


def test_files_of_the_demo_are_not_removed(open_screen: Open, measured: None) -> None:
    screen = open_screen("/sae?id=demo-l2-res")
    screen.page.get_by_role("button", name="Delete demo-l2-res").click()
    dialog = screen.page.get_by_role("dialog")
    dialog.get_by_role("switch").check(force=True)
    dialog.get_by_role("button", name="Delete", exact=True).click()
    screen.expect(dialog.get_by_role("alert")).to_contain_text("demo-l2-res")


def test_a_model_is_loaded_and_unloaded(open_screen: Open) -> None:
    screen = open_screen("/models")
    page = screen.page
    screen.expect(page.locator("#models-content")).to_contain_text("actiscope-demo")
    load = page.get_by_role("button", name="Load actiscope-demo")
    unload = page.get_by_role("button", name="Unload actiscope-demo")
    screen.expect(load.or_(unload)).to_be_visible()
    if unload.is_visible():
        unload.click()
        screen.expect(load).to_be_visible()
    load.click()
    screen.expect(unload).to_be_visible(timeout=120_000)
    unload.click()
    screen.expect(load).to_be_visible()


def test_a_model_names_its_saes_with_verdicts(open_screen: Open, measured: None) -> None:
    screen = open_screen("/models")
    fitting = screen.page.locator(".as-sae-links li", has_text="demo-l1-res")
    screen.expect(fitting).to_contain_text(VERDICT)
    screen.page.get_by_role("link", name="actiscope-demo").first.click()
    screen.expect(section(screen, "Facts")).to_contain_text("llama")
    screen.expect(section(screen, "SAEs that fit")).to_contain_text("demo-l2-res")


def test_the_default_model_is_not_deleted(open_screen: Open) -> None:
    screen = open_screen("/models?id=actiscope-demo")
    screen.page.get_by_role("button", name="Delete actiscope-demo").click()
    dialog = screen.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    screen.expect(dialog.get_by_role("alert")).to_contain_text("default model")


def test_the_picker_shows_verdicts(open_screen: Open, measured: None) -> None:
    screen = open_screen("/?sae=demo-l2-res")
    form = screen.page.locator("#play-form")
    screen.expect(form).to_contain_text("demo-l2-res · layer 2 · good")
    screen.page.get_by_role("textbox", name="SAEs").click()
    offered = screen.page.get_by_role("option", name="demo-l1-res · layer 1 · good")
    screen.expect(offered).to_be_visible()


def test_a_run_leads_to_its_saes(open_screen: Open, server: Server) -> None:
    body = {"prompt": "The cat", "max_tokens": 2, "sae_ids": ["demo-l1-res"]}
    run = server.call("POST", "/api/v1/playground/activations/run", body)[1]["request_id"]
    screen = open_screen(f"/runs/{run}").finish()
    screen.page.locator("#run-facts").get_by_role("link", name="demo-l1-res").click()
    screen.page.get_by_role("heading", level=1, name="SAE demo-l1-res").wait_for()
    screen.page.get_by_role("link", name="used it").click()
    screen.expect(screen.page.locator("#runs-items")).to_contain_text("The cat")


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_opens_later(
    open_screen: Open, home: Path, measured: None, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for viewport in (DESKTOP, PHONE):
        options = {"viewport": viewport, "color_scheme": scheme, "bypass_csp": True}
        screen = open_screen("/saes/add?source=local", reduced_motion="reduce", **options)
        screen.page.get_by_label("Path", exact=True).fill(str(home / "import"))
        screen.page.keyboard.press("Enter")
        screen.expect(screen.page.get_by_text("These cannot be added")).to_be_visible()
        assert axe.run(screen.page).response["violations"] == []
        screen = open_screen("/models", reduced_motion="reduce", **options)
        screen.page.get_by_role("button", name="Delete actiscope-demo").click()
        dialog = screen.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Delete", exact=True).click()
        screen.expect(dialog.get_by_role("alert")).to_contain_text("default model")
        assert axe.run(screen.page).response["violations"] == []
