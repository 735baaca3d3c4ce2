"""The runner: what kinds see and do, whatever happens around them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from services.database import Database, open_database
from services.errors import Conflict, InvalidArgument, NotFound, Unavailable, Unsupported
from services.jobs.context import Cancelled, JobContext
from services.jobs.kinds import Kind, Kinds
from services.jobs.queue import JobQueue
from services.jobs.requests import JobParams, JobQuery, StartJob
from services.jobs.runner import Runner
from services.jobs.service import Jobs
from services.jobs.table_queue import TableQueue
from services.types import JobStatus, JobView
from tests.databases import PostgresServer
from tests.made_jobs import COUNT, chunks_of, make_chunks_table, new_job

TIMEOUT_S = 30


class Shop:
    """Jobs over a queue, with as many runners as a test starts; all are closed."""

    def __init__(self, queue: JobQueue, database: Database) -> None:
        self.queue, self.database = queue, database
        self.kinds = Kinds(COUNT)
        self.runners: list[Runner] = []
        self.jobs = Jobs(queue, self.kinds, self.runner(start=False))

    def runner(self, start: bool = True, **options: Any) -> Runner:
        runner = Runner(self.queue, self.kinds, **({"poll_s": 0.05} | options))
        self.runners.append(runner)
        if start:
            runner.start()
        return runner

    def kind(self, run: Callable[[JobContext], Mapping[str, Any] | None], **options: Any) -> str:
        """The job of a kind that does `run`."""
        self.kinds.add(Kind("odd", JobParams, lambda job, _: run(job), lambda _: "Odd", **options))
        return self.start("odd")

    def start(self, kind: str = "count", **params: Any) -> str:
        return self.jobs.start(StartJob(kind=kind, params=params)).job_id

    def final(self, job_id: str) -> JobView:
        view = self.jobs.wait(job_id, TIMEOUT_S)
        assert view.status.is_final, view
        return view

    def until(self, job_id: str, is_so: Callable[[JobView], bool]) -> JobView:
        deadline = time.monotonic() + TIMEOUT_S
        while not is_so(view := self.jobs.get(job_id)):
            assert time.monotonic() < deadline, view
            time.sleep(0.01)
        return view

    def chunks(self, job_id: str) -> list[int]:
        with self.database.read() as session:
            return chunks_of(session, job_id)


@pytest.fixture
def shop(queue: JobQueue, database: Database) -> Iterator[Shop]:
    made = Shop(queue, database)
    yield made
    for runner in made.runners:
        runner.close(5)


def test_a_job_is_done_with_progress_rate_and_phases(shop: Shop) -> None:
    job_id = shop.start(to=40, pause_s=0.02)
    assert shop.jobs.get(job_id).status is JobStatus.QUEUED
    shop.runner()
    running = shop.until(job_id, lambda view: view.done >= 20)
    assert (running.phase, running.unit, running.total) == ("counting", "numbers", 40)
    assert running.per_s is not None and 2 < running.per_s <= 50
    assert running.eta_s == pytest.approx((40 - running.done) / running.per_s)
    done = shop.final(job_id)
    assert (done.status, done.result) == (JobStatus.SUCCEEDED, {"counted": 40})
    assert (done.per_s, done.eta_s, done.owner) == (None, None, None)
    [phase] = done.phases
    assert (phase.name, phase.done, phase.total) == ("counting", 40, 40)
    assert 0.8 <= phase.seconds < TIMEOUT_S
    assert shop.chunks(job_id) == list(range(40))


def test_progress_and_log_are_seen_between_commits(shop: Shop) -> None:
    def slow(job: JobContext) -> None:
        job.begin("reading", 3, "files")
        job.progress(2, message="the\x00second")
        job.log("found it", "warning")
        while not job.should_stop():
            time.sleep(0.02)
        job.check()

    job_id = shop.kind(slow)
    shop.runner()
    seen = shop.until(job_id, lambda view: view.done == 2)
    assert (seen.phase, seen.message, seen.is_resumable) == ("reading", "the\u2400second", False)
    shop.jobs.cancel(job_id)
    assert shop.final(job_id).status is JobStatus.CANCELLED
    told = [line.message for line in shop.jobs.log(job_id)]
    assert told[1:] == ["found it", "cancelling was asked for", "cancelled"]


def test_a_stopped_kind_keeps_the_chunk_that_it_has_computed(shop: Shop) -> None:
    computed = threading.Event()

    def one_chunk(job: JobContext) -> None:
        job.begin("computing")
        computed.set()
        while not job.should_stop():
            time.sleep(0.01)
        with pytest.raises(Cancelled):
            job.commit({"kept": True})
        job.check()

    job_id = shop.kind(one_chunk)
    shop.runner()
    computed.wait(TIMEOUT_S)
    shop.jobs.cancel(job_id)
    assert shop.final(job_id).is_resumable


def test_a_failure_has_its_reason_and_a_retry_goes_on_from_what_is_kept(shop: Shop) -> None:
    job_id = shop.start(to=6, fail_at=4)
    shop.runner()
    failed = shop.final(job_id)
    assert (failed.status, failed.error_code, failed.crashes) == (JobStatus.FAILED, "INTERNAL", 0)
    assert "incident" in str(failed.error_message) and "where it fails" not in str(failed)
    assert shop.chunks(job_id) == [0, 1, 2, 3]
    shop.jobs.retry(job_id)
    done = shop.final(job_id)
    assert (done.status, done.attempt, done.error_message) == (JobStatus.SUCCEEDED, 2, None)
    assert shop.chunks(job_id) == list(range(6))


class _Panic(BaseException):
    """As some libraries raise it."""


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        (NotFound("no model \udcff here\x00"), "NOT_FOUND", "no model \ufffd here\u2400"),
        (Unavailable("the model is away"), "UNAVAILABLE", "the model is away"),
        (_Panic("out"), "INTERNAL", "incident"),
        (SystemExit(1), "INTERNAL", "incident"),
    ],
)
def test_whatever_a_kind_raises_fails_the_job_and_not_the_runner(
    shop: Shop, raised: BaseException, code: str, says: str
) -> None:
    def fails(_job: JobContext) -> None:
        raise raised

    job_id, next_id = shop.kind(fails), shop.start(to=1)
    shop.runner()
    failed = shop.final(job_id)
    assert (failed.status, failed.error_code) == (JobStatus.FAILED, code)
    assert says in str(failed.error_message)
    assert shop.final(next_id).status is JobStatus.SUCCEEDED


def test_a_result_that_cannot_be_stored_fails_the_job(shop: Shop) -> None:
    job_id = shop.kind(lambda _job: {"loss": float("nan")})
    shop.runner()
    assert shop.final(job_id).status is JobStatus.FAILED


def test_the_worker_checks_stored_parameters_again(shop: Shop, queue: JobQueue) -> None:
    wrong = queue.submit(new_job(params={"to": -1})).job_id
    newer = queue.submit(new_job(params_version=2)).job_id
    older = queue.submit(new_job(params_version=0)).job_id
    unknown = queue.submit(new_job(kind="unknown")).job_id
    shop.runner()
    assert shop.final(wrong).error_code == InvalidArgument.code
    for job_id in (newer, older):
        assert shop.final(job_id).error_code == Unsupported.code
    assert shop.jobs.get(unknown).status is JobStatus.QUEUED


def test_older_parameters_are_upgraded(shop: Shop, queue: JobQueue) -> None:
    job_id = queue.submit(new_job(kind="renamed", params={"until": 3}, params_version=1)).job_id

    def upgrade(version: int, params: dict[str, Any]) -> dict[str, Any]:
        assert version == 1
        return {"to": params["until"]}

    shop.kinds.add(
        Kind("renamed", COUNT.params, COUNT.run, COUNT.title, version=2, upgrade=upgrade)
    )
    shop.runner()
    assert shop.final(job_id).result == {"counted": 3}


def test_closing_hands_back_and_another_runner_goes_on(shop: Shop) -> None:
    job_id = shop.start(to=20, pause_s=0.05)
    first = shop.runner()
    shop.until(job_id, lambda view: view.done >= 3)
    first.close(5)
    back = shop.jobs.get(job_id)
    assert (back.status, back.crashes, back.owner) == (JobStatus.QUEUED, 0, None)
    kept = shop.chunks(job_id)
    shop.runner()
    assert shop.final(job_id).attempt == 2
    assert kept == list(range(len(kept))) and shop.chunks(job_id) == list(range(20))


def test_a_batch_that_outlasts_the_grace_is_handed_back_and_changes_nothing(shop: Shop) -> None:
    let_go, tried = threading.Event(), threading.Event()

    def stuck(job: JobContext) -> Mapping[str, Any] | None:
        job.begin("computing")
        if job.attempt == 1:
            let_go.wait(TIMEOUT_S)
            try:
                job.commit({"from": "the past"})
            finally:
                tried.set()
        return {"attempt": job.attempt, "checkpoint": job.checkpoint}

    job_id = shop.kind(stuck)
    runner = shop.runner()
    shop.until(job_id, lambda view: view.phase == "computing")
    runner.close(0.1)
    assert shop.jobs.get(job_id).status is JobStatus.QUEUED
    let_go.set()
    assert tried.wait(TIMEOUT_S)
    shop.runner()
    assert shop.final(job_id).result == {"attempt": 2, "checkpoint": None}


def test_interactive_work_goes_first_between_batches(shop: Shop) -> None:
    is_awaited = threading.Event()
    is_awaited.set()

    def give_way(should_stop: Callable[[], bool]) -> None:
        while is_awaited.is_set() and not should_stop():
            time.sleep(0.01)

    job_id = shop.start(to=3)
    shop.runner(give_way=give_way)
    shop.until(job_id, lambda view: view.phase == "counting")
    time.sleep(0.2)
    assert shop.chunks(job_id) == []
    is_awaited.clear()
    assert shop.final(job_id).status is JobStatus.SUCCEEDED

    is_awaited.set()
    waiting = shop.start(to=3)
    shop.until(waiting, lambda view: view.phase == "counting")
    shop.jobs.cancel(waiting)  # also while it gives way
    assert shop.final(waiting).status is JobStatus.CANCELLED


def test_a_lease_is_kept_during_a_long_batch(shop: Shop) -> None:
    job_id = shop.kind(lambda _job: time.sleep(1.5))
    shop.runner(lease_s=0.4)
    shop.runner(lease_s=0.4)
    done = shop.final(job_id)
    assert (done.status, done.attempt) == (JobStatus.SUCCEEDED, 1)


def test_a_runner_for_one_job_leaves_the_others(shop: Shop) -> None:
    other, mine = shop.start(to=1), shop.start(to=1)
    shop.runner(only=mine)
    assert shop.final(mine).status is JobStatus.SUCCEEDED
    assert shop.jobs.get(other).status is JobStatus.QUEUED


def test_old_jobs_are_forgotten(shop: Shop) -> None:
    job_id = shop.start(to=1)
    shop.runner()
    shop.final(job_id)
    shop.runner(kept_for=timedelta(days=1))
    assert shop.jobs.get(job_id)
    shop.runner(kept_for=timedelta(0))
    with pytest.raises(NotFound):
        shop.jobs.get(job_id)


def test_a_key_makes_a_start_repeatable(shop: Shop) -> None:
    request = StartJob(kind="count", params={"to": 2}, request_key="k")
    first = shop.jobs.start(request)
    assert shop.jobs.start(request) == first
    spelled_out = {"to": 2, "pause_s": 0, "note": "", "fail_at": None, "again": False}
    assert shop.jobs.start(request.model_copy(update={"params": spelled_out})) == first
    with pytest.raises(Conflict):
        shop.jobs.start(request.model_copy(update={"params": {"to": 3}}))
    assert len(shop.jobs.list(JobQuery()).items) == 1


def test_kinds_are_known_once_by_name() -> None:
    kinds = Kinds(COUNT)
    with pytest.raises(ValueError, match="count"):
        kinds.add(COUNT)
    with pytest.raises(InvalidArgument, match="there are: count"):
        kinds.get("other")
    with pytest.raises(InvalidArgument, match="none yet"):
        Kinds().get("other")


def test_jobs_outlive_the_database(postgres_server: PostgresServer, postgres_url: str) -> None:
    """It is stopped as by a crash while a job commits chunk after chunk."""
    database = open_database(postgres_url)
    make_chunks_table(database._engine)
    shop = Shop(TableQueue(database), database)
    job_id = shop.start(to=60, pause_s=0.02, again=True)
    runner = shop.runner()
    shop.until(job_id, lambda view: view.done >= 5)
    postgres_server.stop("immediate")
    time.sleep(1)
    with pytest.raises(Unavailable):
        shop.jobs.get(job_id)
    postgres_server.start()
    done = shop.final(job_id)
    runner.close()
    assert (done.status, done.attempt) == (JobStatus.SUCCEEDED, 1)
    assert shop.chunks(job_id) == list(range(60))
    database.close()


def test_parallel_runners_do_each_job_once(shop: Shop) -> None:
    job_ids = [shop.start(to=3) for _ in range(12)]
    for _ in range(3):
        shop.runner()
    for job_id in job_ids:
        assert shop.final(job_id).attempt == 1
        assert shop.chunks(job_id) == [0, 1, 2]
