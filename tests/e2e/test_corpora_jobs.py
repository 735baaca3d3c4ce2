"""A corpus added in the browser, and jobs followed, cancelled and retried there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.screens import Screen
from tests.servers import Server

pytestmark = pytest.mark.browser

Open = Callable[..., Screen]


def lines(n: int, word: str) -> str:
    """So many documents with metadata, as JSON Lines."""
    return "".join(
        json.dumps({"text": f"{word} {i} lies in the harbour", "town": f"town {i % 3}"}) + "\n"
        for i in range(n)
    )


@pytest.fixture
def with_a_bad_line(tmp_path: Path) -> Path:
    """Forty documents, and a line between them that is none."""
    path = tmp_path / "ships.jsonl"
    good = lines(40, "ship").splitlines(keepends=True)
    path.write_text("".join([*good[:6], '{"text": "broken\n', *good[6:]]))
    return path


def status(screen: Screen) -> Any:
    return screen.page.locator("#job-box .as-status").first


def test_an_upload_becomes_a_corpus_without_its_bad_line(
    open_screen: Open, with_a_bad_line: Path
) -> None:
    screen = open_screen("/corpora/add")
    page, expect = screen.page, screen.expect
    page.locator("input[type=file]").set_input_files(with_a_bad_line)
    expect(page.locator("#add-corpus-found")).to_contain_text("ship 0 lies in the harbour")

    page.get_by_role("button", name="Add corpus").click()
    expect(status(screen)).to_have_text("Failed")
    expect(page.locator("#job-box [role=alert]")).to_contain_text("ships.jsonl, line 7")

    page.reload()  # source and job stand in the address
    expect(status(screen)).to_have_text("Failed")
    page.get_by_label("Leave it out, count it, and show it with the corpus").check()
    page.get_by_label("Name of the corpus").fill("Ships")
    page.get_by_role("button", name="Add corpus").click()
    expect(page.locator("#job-box")).to_contain_text("40 documents, 1 line skipped.")

    page.get_by_role("link", name="Open the corpus").click()
    expect(page.get_by_role("heading", name="Ships", exact=True)).to_be_visible()
    skipped = page.get_by_role("table", name="Lines that were skipped")
    expect(skipped).to_contain_text("ships.jsonl")
    expect(skipped).to_contain_text("7")
    expect(page.locator("#corpus-documents li")).to_have_count(10)
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#corpus-place")).to_have_text("11 to 20 of 40")
    screen.wait_for_query(document="11")
    page.reload()
    expect(page.locator("#corpus-place")).to_have_text("11 to 20 of 40")


def test_a_corpus_is_deleted_restored_and_removed(open_screen: Open, server: Server) -> None:
    add(server, "to-be-removed.jsonl", 5, wait=True)
    screen = open_screen("/corpora?deleted=1")
    page, expect = screen.page, screen.expect
    row = page.locator("#corpora-items tr", has_text="to-be-removed")
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_contain_text("Deleted")
    row.get_by_role("button", name="Restore").click()
    expect(row.get_by_role("button", name="Restore")).to_have_count(0)
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("switch").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)


def test_windows_follow_the_options(open_screen: Open) -> None:
    screen = open_screen("/corpora?id=demo&context=32&stride=16")
    page, expect = screen.page, screen.expect
    head = page.locator("#corpus-windows li .as-strip-head .as-num")
    expect(head.nth(1)).to_have_text("32 tokens, 16 kept")
    page.get_by_label("Stride (tokens)").fill("8")
    expect(head.nth(1)).to_have_text("32 tokens, 8 kept")
    expect(page.locator("#corpus-windows li").nth(1).locator(".sp").first).to_be_visible()
    screen.wait_for_query(stride="8")


@pytest.fixture
def long_job(server: Server) -> Iterator[str]:
    """An import that takes seconds; it is stopped at the end."""
    job_id = add(server, "long.jsonl", 250_000)
    yield job_id
    server.call("POST", f"/api/v1/jobs/{job_id}/cancel")


def add(server: Server, name: str, n: int, *, wait: bool = False) -> str:
    """The job that adds a file of so many documents, which lies below the data folder."""
    path = server.log.parent / "import" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(lines(n, Path(name).stem))
    code, job = server.call("POST", "/api/v1/corpora", {"path": str(path)})
    assert code == 202, job
    while wait and server.get(f"/api/v1/jobs/{job['job_id']}")["finished_at"] is None:
        time.sleep(0.1)
    return job["job_id"]


def test_jobs_are_followed_cancelled_and_retried(
    open_screen: Open, server: Server, long_job: str
) -> None:
    short_job = add(server, "short.jsonl", 30)
    listed, waiting = open_screen("/jobs"), open_screen(f"/jobs?id={short_job}")
    page, expect = waiting.page, waiting.expect
    expect(status(waiting)).to_have_text("Waiting")
    page.get_by_role("button", name="Cancel").click()
    expect(status(waiting)).to_have_text("Cancelled")

    listed.page.locator(f"#jobs-active a[href$='{long_job}']").click()
    expect(status(listed)).to_have_text("Running")
    expect(listed.page.locator("#job-box .as-progress-line")).to_contain_text(" of ")
    expect(listed.page.locator("#job-log li").first).to_be_visible()
    listed.page.get_by_role("button", name="Cancel").click()
    expect(status(listed)).to_have_text("Cancelled")
    expect(listed.page.get_by_role("button", name="Retry")).to_be_visible()

    page.get_by_role("button", name="Retry").click()
    expect(status(waiting)).to_have_text("Done")
    page.reload()
    expect(page.get_by_role("link", name="Open the corpus")).to_be_visible()
    expect(page.locator("#job-log")).to_contain_text("cancel")


def test_the_list_of_jobs_is_filtered_by_its_address(open_screen: Open, server: Server) -> None:
    add(server, "filtered.jsonl", 3, wait=True)
    screen = open_screen("/jobs?status=succeeded&kind=add_corpus")
    page, expect = screen.page, screen.expect
    row = page.locator("#jobs-items tbody tr", has_text="filtered.jsonl").first
    expect(row).to_be_visible()
    page.get_by_role("textbox", name="Kind").click()
    page.get_by_role("option", name="Export of a store").click()
    screen.wait_for_query(status="succeeded", kind="export_store")
    expect(page.locator("#jobs-items")).to_contain_text("No job passes these filters")
