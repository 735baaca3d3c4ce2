"""The table of features in a real browser: sorted, filtered, edited, its state in the address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import DESKTOP, PHONE
from tests.e2e.screens import Screen
from tests.servers import Server

pytestmark = pytest.mark.browser
THOROUGH = pytest.mark.thorough

Open = Callable[..., Screen]
SAE = "demo-l2-res"
LINKS = ".as-feature-grid .ag-row a"


@pytest.fixture(scope="module")
def store_id(extracted: Callable[[str], str]) -> str:
    """A finished extraction of the SAE."""
    return extracted(SAE)


def expected(server: Server, **query: Any) -> list[str]:
    """Numbers of features as REST orders them."""
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    items = server.get(f"/api/v1/saes/{SAE}/features?{asked}")["items"]
    return [str(item["feature"]) for item in items]


def row(screen: Screen, n: int) -> Any:
    """The link of the n-th row."""
    return screen.page.locator(f".as-feature-grid .ag-row[row-index='{n}'] a")


@pytest.mark.usefixtures("store_id")
def test_the_table_is_sorted_filtered_and_restored_from_its_address(
    open_screen: Open, server: Server
) -> None:
    screen = open_screen("/")
    page, expect = screen.page, screen.expect
    page.get_by_role("navigation").get_by_text("Features").click()
    page.locator(LINKS).first.wait_for()
    page.goto(f"{screen.base}/features?sae={SAE}")
    total = page.locator("#features-total")
    expect(total).to_have_text("1,536 features")
    page.locator(".ag-header-cell[col-id=max]").click()
    strongest = expected(server, sort="max", descending="true", limit=3)
    expect(row(screen, 0)).to_have_text(strongest[0])
    screen.wait_for_query(sae=SAE, sort="max", down="1")
    page.get_by_text("Filters").first.click()
    page.get_by_label("Activations, at least").fill("20")
    page.get_by_role("textbox", name="Search", exact=True).fill("self")
    found = expected(server, sort="max", descending="true", limit=3, text="self", range="n:20..")
    expect(row(screen, 0)).to_have_text(found[0])
    screen.wait_for_query(text="self", range="n:20..", sort="max")
    page.reload()
    expect(row(screen, 0)).to_have_text(found[0])
    expect(page.get_by_label("Activations, at least")).to_have_value("20")
    expect(page.locator("#features-filtered")).to_have_text("1")
    page.get_by_role("textbox", name="Search", exact=True).fill("no text has this")
    expect(page.get_by_text("No feature passes these filters")).to_be_visible()
    page.locator("#features-nothing button").click()
    expect(row(screen, 0)).to_have_text(strongest[0])
    screen.wait_for_query(text=None, range=None, sort="max")
    page.get_by_label("Jump to feature").fill("1500")
    page.get_by_label("Jump to feature").press("Enter")
    expect(page.locator(LINKS, has_text="1500")).to_be_visible()
    row_link = page.locator(LINKS, has_text="1500")
    row_link.click()
    page.wait_for_url(f"**/features/{SAE}/1500*")
    page.go_back()
    expect(page.locator("#features-total")).to_have_text("1,536 features")


@pytest.mark.usefixtures("store_id")
def test_rows_are_starred_edited_taken_back_and_kept_as_a_view(
    open_screen: Open, server: Server
) -> None:
    screen = open_screen(f"/features?sae={SAE}&ids=100-119&sort=feature&down=1")
    page, expect = screen.page, screen.expect
    expect(page.locator("#features-total")).to_have_text("20 of 1,536 features")
    star = page.get_by_role("button", name="Star feature 119")
    page.locator("[row-index='0'] [col-id=label]").click()
    for key in ("ArrowLeft", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    expect(star).to_have_attribute("aria-pressed", "true")
    for n in (1, 2):
        page.locator(f"[row-index='{n}'] .ag-selection-checkbox input").check()
    page.get_by_role("button", name="Edit 2 selected…").click()
    page.locator("#features-bulk-do").click()
    page.get_by_role("option", name="Add a label").click()
    page.locator("#features-bulk-text").fill("two of them")
    page.get_by_role("button", name="Apply").click()
    label = page.locator("[row-index='1'] [col-id=label]")
    expect(label).to_have_text("two of them")
    page.get_by_role("button", name="Undo").click()
    expect(label).to_have_text("")
    page.get_by_text("Columns", exact=True).first.click()
    page.get_by_role("checkbox", name="Category").uncheck()
    expect(page.locator(".ag-header-cell[col-id=category]")).to_have_count(0)
    page.get_by_text("Saved views", exact=True).click()
    page.get_by_label("Name of the view").fill("twenty")
    page.get_by_role("button", name="Save this view").click()
    view = page.get_by_role("button", name="twenty", exact=True)
    expect(view).to_be_visible()
    page.get_by_role("textbox", name="Search", exact=True).fill("self")
    screen.wait_for_query(text="self")
    view.click()
    screen.wait_for_query(text=None, ids="100-119", sort="feature")
    expect(page.locator("#features-total")).to_have_text("20 of 1,536 features")
    expect(star).to_have_attribute("aria-pressed", "true")
    assert expected(server, starred="true", ids="100-119") == ["119"]


@pytest.mark.usefixtures("store_id")
@pytest.mark.parametrize(
    "viewport",
    [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone", marks=THOROUGH)],
)
def test_axe_finds_nothing_on_the_table(open_screen: Open, viewport: Any) -> None:
    path = f"/features?sae={SAE}&label=unlabelled&sort=max&down=1"
    screen = open_screen(path, viewport=viewport, bypass_csp=True, reduced_motion="reduce")
    screen.page.locator(LINKS).first.wait_for()
    for name in ("Columns", "Saved views"):
        screen.page.get_by_text(name, exact=True).first.click()
    screen.assert_accessible()
    assert screen.page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
