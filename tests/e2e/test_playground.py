"""The playground as a user meets it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import LONG_PROMPT
from tests.e2e.screens import Screen
from tests.servers import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Screen]
Fields = dict[str, float]


def test_tokens_arrive_while_the_model_writes_and_features_follow(
    screen: Screen, long_run: Fields
) -> None:
    screen.write(LONG_PROMPT, long_run)
    screen.prompt.press("Control+Enter")
    live = screen.page.locator("#run-live .as-tok")
    live.nth(5).wait_for()
    seen = live.count()
    screen.page.wait_for_function(
        "n => document.querySelectorAll('#run-live .as-tok').length > n", arg=seen
    )
    screen.finish().features().tokens.nth(seen - 1).wait_for()


def test_hovering_a_token_names_its_features(screen: Screen) -> None:
    screen.write("The cat sat on the mat").run().finish()
    screen.tokens.nth(2).hover()
    screen.page.locator("#run-strip .as-card .as-card-row").first.wait_for()


def test_pins_are_in_the_address_and_come_back_with_it(screen: Screen, open_screen: Open) -> None:
    screen.write("The cat sat on the mat").run().finish().features()
    screen.tokens.nth(3).click()
    screen.wait_for_query(token="4")
    screen.page.keyboard.press("Escape")
    screen.wait_for_query(token=None)
    screen.tokens.nth(3).click()
    screen.page.locator("#run-strip .as-card-size").first.click()
    screen.page.get_by_text("is pinned").wait_for()
    screen.page.locator("#run-sae-choice").get_by_text("demo-l2-res").click()
    screen.wait_for_query(sae="demo-l2-res", feature=None)
    screen.page.get_by_text("strongest feature of demo-l2-res").wait_for()
    screen.features()
    screen.click_bar(0)
    screen.page.locator("#run-deltas .main-svg").first.wait_for()
    screen.page.locator("#run-result").get_by_text("Output", exact=True).first.click()
    screen.wait_for_query(segment="output")
    feature = screen.query["feature"]

    again = open_screen(screen.page.url.removeprefix(screen.base)).finish().features()
    again.page.get_by_text(f"Feature {feature} is pinned").wait_for()
    again.expect(again.page.locator("#run-strip .as-tok.pinned")).to_have_count(1)
    again.expect(again.page.get_by_role("radio", name="demo-l2-res")).to_be_checked()
    again.expect(again.page.get_by_role("radio", name="Output")).to_be_checked()
    again.wait_for_query(**screen.query)
    assert again.query == screen.query


def test_the_strip_works_by_keyboard(screen: Screen) -> None:
    screen.write("The cat sat on the mat").run().finish()
    screen.tokens.nth(0).focus()
    screen.page.keyboard.press("ArrowRight")
    screen.page.keyboard.press("Enter")
    screen.page.wait_for_function("() => new URLSearchParams(location.search).has('token')")
    pinned = int(screen.query["token"])
    screen.page.locator("#run-strip .as-tok.pinned").wait_for()
    screen.expect(screen.page.locator("#run-strip .as-tok.pinned")).to_be_focused()
    screen.page.keyboard.press("ArrowRight")
    screen.page.keyboard.press(" ")
    screen.wait_for_query(token=str(pinned + 1))


def test_stopping_keeps_what_was_written(screen: Screen, long_run: Fields) -> None:
    screen.write(LONG_PROMPT, long_run).run()
    screen.page.locator("#run-live .as-tok").nth(8).wait_for()
    screen.page.get_by_role("button", name="Stop").click()
    screen.finish("Cancelled").tokens.nth(4).wait_for()


def test_reloading_and_a_second_browser_follow_the_same_run(
    screen: Screen, open_screen: Open, long_run: Fields
) -> None:
    screen.write(LONG_PROMPT, long_run).run()
    screen.page.locator("#run-live .as-tok").nth(5).wait_for()
    run_id = screen.run_id
    screen.page.reload()
    other = open_screen(f"/runs/{run_id}")
    screen.finish()
    other.finish()
    assert screen.run_id == other.run_id == run_id
    other.expect(other.tokens).to_have_text(screen.tokens.all_inner_texts(), use_inner_text=True)


def test_a_double_click_is_one_run(screen: Screen, server: Server) -> None:
    before = len(server.get("/api/v1/playground/activations/runs?limit=200")["items"])
    screen.write("click click")
    screen.page.get_by_role("button", name="Run", exact=True).dblclick()
    screen.finish()
    after = len(server.get("/api/v1/playground/activations/runs?limit=200")["items"])
    assert after == before + 1


def test_wrong_values_are_explained_beside_the_form(screen: Screen) -> None:
    screen.write(" ")
    screen.prompt.fill("")
    screen.page.get_by_role("button", name="Run", exact=True).click()
    screen.page.locator("#play-error").get_by_text("prompt").wait_for()
    screen.write("now it is fine").run().finish()
    screen.expect(screen.page.locator("#play-error [role=alert]")).to_have_count(0)


def test_an_example_fills_in_the_form(screen: Screen) -> None:
    screen.page.get_by_role("button", name="Capital").click()
    screen.page.wait_for_function("() => document.querySelector('#play-prompt').value.length > 5")
    screen.run().finish()


def test_the_rows_download_is_the_whole_table(screen: Screen, tmp_path: Path) -> None:
    screen.write("The cat sat on the mat").run().finish().features()
    with screen.page.expect_download() as waiting:
        screen.page.get_by_role("link", name="Rows (CSV)").click()
    file = tmp_path / "rows.csv"
    waiting.value.save_as(file)
    rows = list(csv.DictReader(file.open(encoding="utf-8-sig", newline="")))
    assert {"token_position", "feature_id", "activation_value", "rank"} <= set(rows[0])
    assert screen.run_id[:8] in waiting.value.suggested_filename
    positions = {int(row["token_position"]) for row in rows}
    assert len(positions) >= screen.tokens.count()


def test_the_rows_filter_reaches_the_grid_and_the_address(screen: Screen) -> None:
    screen.write("The cat sat on the mat").run().finish().features()
    screen.page.get_by_label("Rank at most").fill("1")
    screen.wait_for_query(row_rank="1")
    screen.page.wait_for_function(
        "() => { const cells = [...document.querySelectorAll('#run-rows .ag-row [col-id=rank]')];"
        " return cells.length > 1 && cells.every(cell => cell.textContent === '1'); }"
    )


def test_hostile_text_stays_text(screen: Screen) -> None:
    hostile = "<img src=x onerror=window.__xss=1><script>window.__xss=1</script>{{x}} %{y} </b>"
    screen.write(hostile).run().finish().features()
    screen.tokens.nth(2).hover()
    screen.click_bar(0)
    screen.page.get_by_text("is pinned").wait_for()
    screen.goto("/runs")
    screen.page.get_by_text("<img src=x", exact=False).first.wait_for()
    screen.goto(f"/runs/{screen.page.locator('#runs-items a').first.get_attribute('href')[6:]}")
    screen.finish().features()
    assert screen.page.evaluate("window.__xss") is None


def test_the_link_to_the_playground_starts_afresh(screen: Screen) -> None:
    screen.write("something").run().finish()
    screen.page.get_by_role("navigation").get_by_text("Playground").click()
    screen.page.get_by_text("Nothing run yet").wait_for()
    assert screen.query == {}
