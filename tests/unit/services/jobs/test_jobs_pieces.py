"""Ids that sort by time, and progress with its rate: no database needed."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.jobs import progress as module
from services.jobs.ids import could_be_id, new_id
from services.jobs.progress import Progress


def test_ids_are_version_7_and_ascend() -> None:
    before = time.time_ns() // 10**6
    ids = [new_id() for _ in range(5000)]
    after = time.time_ns() // 10**6
    assert ids == sorted(set(ids))
    for text in ids[::500]:
        parsed = uuid.UUID(text)
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
        assert before <= parsed.int >> 80 <= after + 2
        assert could_be_id(text)


def test_ids_of_parallel_threads_differ() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id(), range(4000)))
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    "text", ["", "x", "0" * 35, "0" * 37, "\x00" * 36, "A" * 36, "0" * 36 + "\n"]
)
def test_other_texts_are_no_ids(text: str) -> None:
    assert not could_be_id(text)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_the_rate_is_that_of_the_last_seconds(clock: Clock) -> None:
    job = Progress()
    job.begin("reading", 10_000, "tokens", 0)
    assert job.snapshot().progress.progress_per_s is None
    for second in range(1, 41):
        clock.now += 1
        job.advance(10 * second if second <= 20 else 200 + 100 * (second - 20), None, None)
    assert job.snapshot().progress.progress_per_s == pytest.approx(100)


def test_batches_slower_than_the_window_have_a_rate_too(clock: Clock) -> None:
    job = Progress()
    job.begin("reading", None, "tokens", 50)
    for done in (150, 250):
        clock.now += 60
        job.advance(done, None, None)
    clock.now += 30
    assert job.snapshot().progress.progress_per_s == pytest.approx(100 / 60)


def test_phases_keep_their_times_over_attempts(clock: Clock) -> None:
    first = Progress()
    first.begin("reading", 4, "files", 0)
    clock.now += 2
    first.advance(4, None, "last file")
    first.begin("writing", None, "", 0)
    clock.now += 3
    stored = first.snapshot().progress
    assert [(p["name"], p["done"], p["seconds"]) for p in stored.phases] == [
        ("reading", 4, 2.0),
        ("writing", 0, 3.0),
    ]
    clock.now += 100  # nobody works on it
    second = Progress(stored)
    assert second.snapshot().progress.phases == stored.phases
    second.begin("reading", 4, "files", 4)
    clock.now += 1
    second.begin("writing", 8, "files", 2)
    clock.now += 1
    stored = second.snapshot().progress
    assert [(p["name"], p["done"], p["total"], p["seconds"]) for p in stored.phases] == [
        ("reading", 4, 4, 3.0),
        ("writing", 2, 8, 4.0),
    ]
    assert (stored.phase, stored.progress_done, stored.progress_message) == ("writing", 2, "")


def test_log_lines_are_given_until_they_are_stored() -> None:
    job = Progress()
    job.log("one", "info")
    chunk = job.snapshot()
    job.log("two", "warning")
    assert [line.message for line in job.snapshot().log] == ["one", "two"]
    job.stored(chunk)
    assert [line.message for line in job.snapshot().log] == ["two"]
    for i in range(2000):
        job.log(str(i), "info")
    assert [line.message for line in job.snapshot().log] == [str(i) for i in range(1500, 2000)]


def test_progress_needs_a_phase() -> None:
    with pytest.raises(RuntimeError, match="begin"):
        Progress().advance(1, None, None)
