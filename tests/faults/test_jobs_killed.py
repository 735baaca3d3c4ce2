"""Workers are killed, stopped and raced: a job is done exactly once, or fails with the reason."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from services.database import Database, open_database
from services.jobs.table_queue import TableQueue
from services.types import JobStatus, JobView
from tests.faults.job_worker import STAGES
from tests.made_jobs import CHUNKS, chunks_of, make_chunks_table, new_job

PROJECT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60


class Worker:
    """A worker process."""

    def __init__(self, url: str, log: Path, lease_s: float = 30, **environment: str) -> None:
        mine = os.environ  # noqa: TID251
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.job_worker", url, str(lease_s)],
                cwd=PROJECT, env=mine | environment, stdout=subprocess.PIPE, stderr=out,
            )  # fmt: skip
        assert self.process.stdout is not None
        if environment.get("DIE_AT") is None:
            assert self.process.stdout.readline() == b"ready\n", log.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        return self.process.wait(TIMEOUT_S)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Shop:
    """A database with jobs, and workers for it."""

    def __init__(self, url: str, folder: Path, database: Database, stack: ExitStack) -> None:
        self.url, self.database, self.stack = url, database, stack
        self.log = folder / "workers.log"
        self.queue = TableQueue(database, "elsewhere/1/1")

    def worker(self, lease_s: float = 30, **environment: str) -> Worker:
        return self.stack.enter_context(Worker(self.url, self.log, lease_s, **environment))

    def submit(self, to: int, pause_s: float = 0.0, **changes: Any) -> str:
        params = {"to": to, "pause_s": pause_s}
        return self.queue.submit(new_job(params=params, **changes)).job_id

    def until(self, job_id: str, is_so: Callable[[JobView], bool]) -> JobView:
        """The job, once it is as wanted."""
        deadline = time.monotonic() + TIMEOUT_S
        while not is_so(view := self.queue.get(job_id)):
            assert time.monotonic() < deadline, f"{view}\n{self.log.read_text()[-3000:]}"
            time.sleep(0.01)
        return view

    def final(self, job_id: str) -> JobView:
        return self.until(job_id, lambda view: view.status.is_final)

    def chunks(self, job_id: str) -> list[int]:
        with self.database.read() as session:
            return chunks_of(session, job_id)

    def attempts(self, job_id: str) -> list[int]:
        """Which attempt stored each chunk, in the order of the chunks."""
        statement = select(CHUNKS.c.attempt).where(CHUNKS.c.job_id == job_id)
        with self.database.read() as session:
            return list(session.scalars(statement.order_by(CHUNKS.c.chunk)))

    def assert_done_once(self, job_id: str, to: int) -> JobView:
        view = self.final(job_id)
        assert view.status is JobStatus.SUCCEEDED, view
        assert (view.result, view.done) == ({"counted": to}, to)
        assert self.chunks(job_id) == list(range(to))
        return view


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[Shop]:
    with closing(open_database(database_url)) as database, ExitStack() as stack:
        make_chunks_table(database._engine)
        yield Shop(database_url, tmp_path, database, stack)


@pytest.mark.parametrize("stage", STAGES)
def test_a_worker_killed_at_a_stage_costs_no_chunk_and_doubles_none(shop: Shop, stage: str) -> None:
    job_id = shop.submit(to=6)
    after = "0" if stage == "claimed" else "3"
    assert shop.worker(DIE_AT=stage, DIE_AFTER=after).ended() == -signal.SIGKILL
    left = shop.queue.get(job_id)
    done = {"claimed": 0, "computing": 3, "written": 3, "committed": 3}.get(stage, 6)
    assert shop.chunks(job_id) == list(range(done)), "the chunk and its checkpoint are one"
    assert left.status is (JobStatus.SUCCEEDED if stage == "finished" else JobStatus.RUNNING)
    shop.worker()
    view = shop.assert_done_once(job_id, 6)
    assert view.attempt == (1 if stage == "finished" else 2)
    assert view.crashes == view.attempt - 1
    assert shop.attempts(job_id) == [1] * done + [2] * (6 - done)


@pytest.mark.parametrize("kills", [3, pytest.param(24, marks=pytest.mark.endurance)])
def test_a_job_outlives_workers_killed_at_random_moments(shop: Shop, kills: int) -> None:
    rng, to = random.Random(4), 30 * kills  # more than the workers can count until they die
    job_id = shop.submit(to=to, pause_s=0.01, max_attempts=100)
    for kill in range(kills):
        with shop.worker() as worker:
            if kill == 0:  # at least one dies at work
                shop.until(job_id, lambda view: view.done > 0)
            time.sleep(rng.uniform(0, 0.3))
            worker.send(signal.SIGKILL)
            assert worker.ended() == -signal.SIGKILL
    shop.worker()
    view = shop.assert_done_once(job_id, to)
    assert 1 <= view.crashes == view.attempt - 1 <= kills
    assert shop.attempts(job_id) == sorted(shop.attempts(job_id))


def test_a_worker_that_was_taken_for_dead_changes_nothing(shop: Shop) -> None:
    lease_s = 1.0
    job_id = shop.submit(to=60, pause_s=0.05)
    zombie = shop.worker(lease_s)
    shop.until(job_id, lambda view: view.done >= 5)
    zombie.send(signal.SIGSTOP)
    other = shop.worker(lease_s)
    shop.until(job_id, lambda view: view.attempt == 2 and view.done >= 20)
    zombie.send(signal.SIGCONT)
    view = shop.assert_done_once(job_id, 60)
    attempts = shop.attempts(job_id)
    assert view.attempt == 2 and attempts == sorted(attempts) and set(attempts) == {1, 2}
    assert "no longer this worker's" in _soon(shop.log)
    next_id = shop.submit(to=3)  # and both go on with other jobs
    shop.assert_done_once(next_id, 3)
    for worker in (zombie, other):
        worker.send(signal.SIGTERM)
        assert worker.ended() == 0


def _soon(log: Path) -> str:
    time.sleep(0.5)
    return log.read_text()


def test_cancelling_takes_effect_within_one_batch_and_keeps_what_is_done(shop: Shop) -> None:
    job_id = shop.submit(to=1000, pause_s=0.2)
    worker = shop.worker()
    shop.until(job_id, lambda view: view.done >= 2)
    done = shop.queue.cancel(job_id).done
    asked = time.monotonic()
    view = shop.final(job_id)
    assert view.status is JobStatus.CANCELLED
    assert time.monotonic() - asked < 2
    assert done <= view.done <= done + 1
    assert shop.chunks(job_id) == list(range(view.done))
    worker.send(signal.SIGKILL)
    worker.ended()
    shop.worker()
    time.sleep(0.5)
    assert shop.queue.get(job_id) == view


def test_a_cancelled_job_whose_worker_is_killed_stays_cancelled_and_resumes(shop: Shop) -> None:
    job_id = shop.submit(to=8, pause_s=0.3)
    worker = shop.worker()
    shop.until(job_id, lambda view: view.done >= 2)
    worker.send(signal.SIGSTOP)
    shop.queue.cancel(job_id)
    worker.send(signal.SIGKILL)
    worker.ended()
    shop.worker()
    cancelled = shop.final(job_id)
    assert cancelled.status is JobStatus.CANCELLED
    assert shop.queue.retry(job_id).status is JobStatus.QUEUED
    shop.assert_done_once(job_id, 8)
    assert set(shop.attempts(job_id)) == {1, 2}


def test_sigterm_hands_back_without_spending_an_attempt(shop: Shop) -> None:
    job_id = shop.submit(to=40, pause_s=0.05, max_attempts=1)
    for _ in range(3):
        with shop.worker() as worker:
            before = shop.until(job_id, lambda view: view.status is JobStatus.RUNNING)
            shop.until(job_id, lambda view, past=before.done: view.done > past)
            worker.send(signal.SIGTERM)
            assert worker.ended() == 0
        view = shop.queue.get(job_id)
        assert (view.status, view.crashes, view.owner) == (JobStatus.QUEUED, 0, None)
        assert len(shop.chunks(job_id)) == view.done
    shop.worker()
    assert shop.assert_done_once(job_id, 40).attempt == 4


def test_two_workers_race_for_a_hundred_jobs(shop: Shop) -> None:
    shop.worker()
    shop.worker()
    firsts = [shop.submit(to=100_000, pause_s=0.01) for _ in range(2)]
    at_work = [shop.until(job_id, lambda view: view.done > 0) for job_id in firsts]
    assert len({view.owner for view in at_work}) == 2, "each has one of them"
    job_ids = [shop.submit(to=2) for _ in range(100)]
    for job_id in firsts:  # from here on both are free
        shop.queue.cancel(job_id)
    for job_id in job_ids:
        assert shop.assert_done_once(job_id, 2).attempt == 1
    for job_id in firsts:
        view = shop.final(job_id)
        assert (view.status, view.attempt) == (JobStatus.CANCELLED, 1)
        assert shop.chunks(job_id) == list(range(view.done))


def test_a_poison_job_fails_with_the_reason_and_the_others_go_on(shop: Shop) -> None:
    poison = shop.submit(to=5, max_attempts=3)
    for _ in range(3):
        assert shop.worker(DIE_AT="claimed").ended() == -signal.SIGKILL
    other = shop.submit(to=3)
    shop.worker()
    shop.assert_done_once(other, 3)
    view = shop.final(poison)
    assert (view.status, view.error_code, view.crashes) == (JobStatus.FAILED, "CRASHED", 3)
    assert "ended without a word" in str(view.error_message)
