"""Every component in a real browser, on made data, under the product's content security policy."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect
from werkzeug.serving import make_server

from components.figures import visible
from components.theme import level_of
from tests.components_gallery import LONG, VIEW, create_app
from tests.unit.components.made import HOSTILE, SPLIT

pytestmark = [pytest.mark.browser, pytest.mark.thorough]

TOKEN = ".as-tok"
IGNORED = ("Download the React DevTools",)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app().server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        server.shutdown()
        thread.join(10)


def opened(browser: Browser, url: str, scheme: str = "light", width: int = 1280) -> Page:
    """The gallery, fully drawn; what the console says is kept in `page.said`."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.said = []  # type: ignore[attr-defined]
    page.on("console", lambda m: _note(page, m.type, m.text))
    page.on("pageerror", lambda error: _note(page, "error", str(error)))
    page.goto(url)
    page.wait_for_selector("#rows .ag-row .ag-cell")
    page.wait_for_selector("#deltas .plot-container")
    page.wait_for_selector("#hostile[data-paint-ms]")
    return page


def _note(page: Page, kind: str, text: str) -> None:
    if kind in ("error", "warning") and not text.startswith(IGNORED):
        page.said.append(text)  # type: ignore[attr-defined]


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    page = opened(browser, url)
    yield page
    assert page.said == []  # type: ignore[attr-defined]
    assert page.evaluate("window.__xss") is None
    page.context.close()


def token(page: Page, position: int, strip: str = "strip") -> Locator:
    return page.locator(f"#{strip} {TOKEN}").nth(position)


def card_features(page: Page, strip: str = "strip") -> list[int]:
    return [
        int(text[1:]) for text in page.locator(f"#{strip} .as-card .as-card-id").all_inner_texts()
    ]


def focused(page: Page) -> int:
    return page.evaluate("document.activeElement._position")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, url: str, scheme: str, width: int) -> None:
    page = opened(browser, url, scheme, width)
    page.locator("label", has_text="Special tokens").click()
    token(page, 44).click()
    found = Axe().run(page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:160]) for v in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.said == []  # type: ignore[attr-defined]
    page.context.close()


def test_two_thousand_tokens_are_painted(page: Page) -> None:
    page.click("#long-load")
    page.wait_for_selector("#long[data-paint-ms]")
    assert page.locator(f"#long {TOKEN}").count() == len(LONG.tokens)
    assert page.get_attribute("#long", "data-painted") == "2000"
    assert float(page.get_attribute("#long", "data-paint-ms")) > 0


def test_the_text_of_the_strip_is_the_text_of_the_run(page: Page) -> None:
    shown = page.locator(f"#strip {TOKEN}").evaluate_all("spans => spans.map(s => s.textContent)")
    plain = [t.text.replace("\n", "⏎").replace("\t", "⇥") for t in VIEW.tokens]
    assert shown == plain


def test_colours_are_the_levels_of_the_values(page: Page) -> None:
    levels = page.locator(f"#strip {TOKEN}").evaluate_all("spans => spans.map(s => s._level)")
    values = VIEW.timelines[0].values_of(101)
    top = max(v for v, t in zip(values, VIEW.tokens, strict=True) if not t.is_special)
    assert levels == [level_of(float(f"{v:.4g}"), float(f"{top:.6g}")) for v in values]


def test_python_and_javascript_agree(page: Page) -> None:
    pairs = [[float(v), float(t)] for v in np.linspace(-1, 12, 131) for t in (0.0, 1e-9, 3.0, 11.7)]
    found = page.evaluate("pairs => pairs.map(p => actiscope.tokens.levelOf(p[0], p[1]))", pairs)
    assert found == [level_of(v, t) for v, t in pairs]
    texts = [*HOSTILE, " a ", "  ", "\n\n", "\t", "a b", "\u2028", "\xad"]
    named = page.evaluate("texts => texts.map(t => actiscope.tokens.named(t))", texts)
    assert named == [visible(text) for text in texts]


def test_a_card_shows_a_negative_value_of_the_pinned_feature(page: Page) -> None:
    text = """value => {
      const card = document.createElement('div');
      const props = {tokens: ['a'], values: [value], feature: 7, segments: 0};
      actiscope.card.fill(card, props, 0, false);
      return card.querySelector('.as-card-pinned').textContent;
    }"""
    assert page.evaluate(text, -2.5).endswith("-2.5")
    assert page.evaluate(text, 0).endswith("does not fire")


def test_the_grid_marks_special_tokens_in_words(page: Page) -> None:
    cell = page.locator("#rows .ag-row[row-index='0'] [col-id=is_special]")
    cell.scroll_into_view_if_needed()
    expect(cell).to_have_text("special" if VIEW.tokens[0].is_special else "")
    at = next(t.position for t in VIEW.tokens if not t.is_special) * VIEW.timelines[0].top_k
    plain = page.locator(f"#rows .ag-row[row-index='{at}'] [col-id=is_special]")
    expect(plain).to_have_text("")


def test_hover_explains_the_token(page: Page) -> None:
    token(page, 44).hover()
    card = page.locator("#strip .as-card")
    expect(card).to_be_visible()
    assert card_features(page) == VIEW.timelines[0].feature_ids[44].tolist()
    expect(card).to_contain_text("position 44 · output")
    expect(card).to_contain_text("p = ")
    token(page, 6).hover()
    expect(card).to_contain_text("position 6 · prompt")
    page.mouse.move(5, 5)
    expect(card).to_be_hidden()


def test_a_click_pins_and_a_second_one_unpins(page: Page) -> None:
    token(page, 44).click()
    expect(page.locator("#events")).to_contain_text("'position': 44")
    expect(token(page, 44)).to_have_attribute("aria-selected", "true")
    token(page, 30).hover()
    assert card_features(page) == VIEW.timelines[0].feature_ids[44].tolist()
    token(page, 44).click()
    expect(page.locator("#events")).to_contain_text("'position': None")
    expect(token(page, 44)).to_have_attribute("aria-selected", "false")


def test_a_feature_in_the_pinned_card_can_be_pinned(page: Page) -> None:
    token(page, 44).click()
    page.locator("#strip button.as-card-size").nth(2).click()
    chosen = int(VIEW.timelines[0].feature_ids[44, 2])
    expect(page.locator("#events")).to_contain_text(f"'feature': {chosen}")


def test_the_strip_works_by_keyboard(page: Page) -> None:
    first = next(t.position for t in VIEW.tokens if not t.is_special)
    page.locator("#strip [tabindex='0'].as-tok").focus()
    assert focused(page) == first
    page.keyboard.press("ArrowRight")
    assert focused(page) == first + 1
    page.keyboard.press("End")
    assert focused(page) == len(VIEW.tokens) - 1
    page.keyboard.press("Home")
    assert focused(page) == first
    page.keyboard.press("ArrowDown")
    below = focused(page)
    assert below > first
    page.keyboard.press("ArrowUp")
    assert focused(page) < below
    page.keyboard.press("Enter")
    expect(page.locator("#events")).to_contain_text("'position': ")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "as-card-close"
    page.keyboard.press("Escape")
    expect(page.locator("#events")).to_contain_text("'position': None")
    expect(page.locator("#strip .as-card")).to_be_hidden()
    assert page.locator("#strip [tabindex='0'].as-tok").count() == 1


def test_arrows_step_over_hidden_special_tokens(page: Page) -> None:
    hidden = next(t.position for t in VIEW.tokens if t.is_special and t.position > 0)
    token(page, hidden - 1).click()
    page.keyboard.press("ArrowRight")
    assert focused(page) == hidden + 1


def test_special_tokens_show_when_asked_without_a_repaint(page: Page) -> None:
    special = token(page, 0)
    expect(special).to_be_hidden()
    page.evaluate("window.__node = document.querySelector('#strip .as-tok')")
    page.locator("label", has_text="Special tokens").click()
    expect(special).to_be_visible()
    assert page.evaluate("window.__node === document.querySelector('#strip .as-tok')")


def test_streaming_appends_and_keeps_what_is_there(page: Page) -> None:
    before = page.locator(f"#live {TOKEN}").count()
    page.evaluate("window.__nodes = [...document.querySelectorAll('#live .as-tok')]")
    for click in (1, 2, 3):
        page.click("#more")
        expect(page.locator(f"#live {TOKEN}")).to_have_count(SPLIT + 40 * click)
    same = "[...document.querySelectorAll('#live .as-tok')].slice(0, __nodes.length)"
    assert page.evaluate(f"{same}.every((node, i) => node === __nodes[i])")
    assert before == SPLIT
    assert page.locator("#live.streaming[aria-busy='true']").count() == 1


def test_streaming_follows_only_a_reader_at_the_bottom(page: Page) -> None:
    for _ in range(12):
        page.click("#more")
    expect(page.locator(f"#live {TOKEN}")).to_have_count(SPLIT + 480)
    scroller = page.locator("#live .as-strip-scroll")
    assert scroller.evaluate(
        "s => s.scrollTop > 0 && s.scrollHeight - s.scrollTop <= s.clientHeight + 40"
    )
    scroller.evaluate("s => { s.scrollTop = 10; }")
    page.click("#more")
    expect(page.locator(f"#live {TOKEN}")).to_have_count(SPLIT + 520)
    assert scroller.evaluate("s => s.scrollTop") == 10


def test_hostile_tokens_are_inert(page: Page) -> None:
    assert page.locator("#hostile .as-tok *").count() == 0
    for position in range(len(HOSTILE)):
        token(page, position, "hostile").hover()
        assert page.locator("#hostile .as-card-token *").count() == 0
    shown = page.locator(f"#hostile {TOKEN}").evaluate_all("spans => spans.map(s => s.textContent)")
    assert shown[0] == HOSTILE[0]
    assert "\u202e" not in "".join(shown)
    assert page.locator("#bad a, #bad b, #bad img").count() == 0


def test_figures_follow_the_colour_scheme(page: Page) -> None:
    drawn = "document.querySelector('#bars .js-plotly-plot').layout.template.layout.meta.actiscope"
    assert page.evaluate(drawn) == "light"
    page.click("#shell-scheme")
    page.wait_for_function(f"{drawn} === 'dark'")
    assert page.evaluate("document.documentElement.dataset.agThemeMode") == "dark"


def test_a_figure_that_comes_in_dark_is_drawn_for_dark(browser: Browser, url: str) -> None:
    page = opened(browser, url, "dark")
    figures = "[...document.querySelectorAll('.js-plotly-plot')]"
    page.wait_for_function(
        f"{figures}.every(g => g.layout.template.layout.meta.actiscope === 'dark')"
    )
    page.context.close()


def test_code_is_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".as-code button[data-copy]").click()
    expect(page.locator(".as-code .as-copy-label")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("import requests")


def test_the_rail_opens_from_the_burger_on_a_phone(browser: Browser, url: str) -> None:
    page = opened(browser, url, width=390)
    link = page.get_by_role("link", name="Models")
    expect(link).not_to_be_in_viewport()
    page.click("#shell-burger")
    expect(link).to_be_in_viewport()
    page.context.close()


def test_the_modal_asks_before_it_acts(page: Page) -> None:
    page.click("#ask")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete this run?")
    expect(dialog).to_have_css("opacity", "1")  # its entrance is over
    assert Axe().run(page).response["violations"] == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_skip_link_leads_to_the_content(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "as-skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
