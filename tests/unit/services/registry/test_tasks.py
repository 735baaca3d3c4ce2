"""Tasks: a few at a time, followed, cancelled, remembered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from services.errors import Busy, NotFound, Unsupported
from services.registry.jobs import MEASURING, Job, Stopped
from services.registry.tasks import Tasks
from services.runs.worker import EngineWorker
from services.types import TaskStatus

TIMEOUT_S = 10


@pytest.fixture
def worker() -> Iterator[EngineWorker]:
    made = EngineWorker(2)
    yield made
    made.close()


@pytest.fixture
def tasks(worker: EngineWorker) -> Iterator[Tasks]:
    made = Tasks(worker)
    yield made
    made.close()


def job(key: str = "key", **given: object) -> Job:
    return Job(kind="add_saes", title=f"Title of {key}", key=key, **given)


def until_cancelled(job: Job) -> None:
    while True:
        job.check()
        time.sleep(0.005)


def test_a_task_reports_what_it_does_and_brings(tasks: Tasks) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(job: Job) -> None:
        job.begin("downloading", 100, "bytes")
        job.progress(40)
        begun.set()
        go_on.wait(TIMEOUT_S)
        job.results.append("mine")
        job.problems.append("not this one")

    task = tasks.start(job(about=frozenset({("saes", "mine")})), work)
    assert begun.wait(TIMEOUT_S)
    view = tasks.get(task.task_id)
    assert (view.status, view.phase) == (TaskStatus.RUNNING, "downloading")
    assert (view.done, view.total, view.unit) == (40, 100, "bytes")
    assert tasks.about("saes", "mine") == ("Title of key",) and tasks.about("saes", "x") == ()
    assert tasks.wait(task.task_id, 0.01).status is TaskStatus.RUNNING
    go_on.set()
    view = tasks.wait(task.task_id, TIMEOUT_S)
    assert (view.status, view.phase) == (TaskStatus.SUCCEEDED, "done")
    assert (view.results, view.problems) == (("mine",), ("not this one",))
    assert view.finished_at is not None and view.finished_at >= view.created_at
    assert tasks.about("saes", "mine") == ()
    assert [t.task_id for t in tasks.all()] == [task.task_id]


def test_the_rate_is_what_was_done_lately() -> None:
    made = job()
    before = time.monotonic()
    made.begin("downloading", 1000, "bytes")
    assert made.view.per_s is None
    after = time.monotonic()
    time.sleep(0.2)
    nearly = time.monotonic()
    made.progress(100)
    longest, shortest = time.monotonic() - before, nearly - after
    rate = made.view.per_s
    if longest < 5:  # otherwise the machine stood still for so long that the start is forgotten
        assert rate is not None and 100 / longest <= rate <= 100 / shortest


def test_an_error_is_the_tasks_and_an_unexpected_one_an_incident(tasks: Tasks) -> None:
    def refused(_: Job) -> None:
        raise Unsupported("not this way")

    def broken(_: Job) -> None:
        raise RuntimeError("secret")

    view = tasks.wait(tasks.start(job("a"), refused).task_id, TIMEOUT_S)
    assert (view.status, view.error_code) == (TaskStatus.FAILED, "UNSUPPORTED")
    assert view.error_message == "not this way"
    view = tasks.wait(tasks.start(job("b"), broken).task_id, TIMEOUT_S)
    assert view.error_code == "INTERNAL" and "secret" not in str(view.error_message)


def test_an_equal_task_under_way_is_the_answer(tasks: Tasks) -> None:
    first = tasks.start(job(), until_cancelled)
    assert tasks.start(job(), until_cancelled).task_id == first.task_id
    assert tasks.start(job("other"), until_cancelled).task_id != first.task_id
    tasks.cancel(first.task_id)
    tasks.wait(first.task_id, TIMEOUT_S)
    assert tasks.start(job(), until_cancelled).task_id != first.task_id


def test_waiting_and_running_tasks_are_cancelled_at_once(tasks: Tasks) -> None:
    running = [tasks.start(job(f"r{i}"), until_cancelled) for i in range(2)]
    waiting = tasks.start(job("w"), until_cancelled)
    assert tasks.cancel(waiting.task_id).status is TaskStatus.CANCELLED
    for task in running:
        tasks.cancel(task.task_id)
        assert tasks.wait(task.task_id, TIMEOUT_S).status is TaskStatus.CANCELLED
    assert tasks.cancel(waiting.task_id).status is TaskStatus.CANCELLED


def test_measuring_does_not_wait_for_downloads(tasks: Tasks) -> None:
    for i in range(4):
        tasks.start(job(f"d{i}"), until_cancelled)
    measured = tasks.start(job("m", lane=MEASURING), lambda job: job.results.append("x"))
    assert tasks.wait(measured.task_id, TIMEOUT_S).status is TaskStatus.SUCCEEDED


def test_too_many_are_busy_and_old_ones_are_forgotten(tasks: Tasks) -> None:
    with pytest.raises(Busy) as busy:
        for i in range(100):
            tasks.start(job(f"{i}"), until_cancelled)
    assert busy.value.retry_after_s > 0
    first = tasks.all()[-1].task_id
    for task in tasks.all():
        tasks.cancel(task.task_id)
        tasks.wait(task.task_id, TIMEOUT_S)
    for i in range(230):
        task = tasks.start(job(f"x{i}"), lambda _: None)
        tasks.wait(task.task_id, TIMEOUT_S)
    assert len(tasks.all()) <= 202
    with pytest.raises(NotFound):
        tasks.get(first)


def test_work_of_the_engine_waits_for_a_place_and_its_errors_come_back(
    tasks: Tasks, worker: EngineWorker
) -> None:
    released = threading.Event()
    for _ in range(3):  # one under way, two places taken
        while True:
            try:
                worker.submit(released.wait)
                break
            except Busy:
                time.sleep(0.01)

    def measure(job: Job) -> None:
        job.results.append(tasks.on_engine(job, lambda: threading.current_thread().name))

    def fail(job: Job) -> None:
        tasks.on_engine(job, _timed_out)

    task = tasks.start(job("a", lane=MEASURING), measure)
    assert tasks.wait(task.task_id, 0.3).status is TaskStatus.RUNNING
    released.set()
    assert tasks.wait(task.task_id, TIMEOUT_S).results == ("engine",)
    failed = tasks.wait(tasks.start(job("b"), fail).task_id, TIMEOUT_S)
    assert failed.error_message == "too long"


def _timed_out() -> None:
    raise Unsupported("too long")


def test_a_time_out_of_the_work_is_the_works(tasks: Tasks, worker: EngineWorker) -> None:
    def slow() -> None:
        raise TimeoutError("the disk")

    asked = job()
    with pytest.raises(TimeoutError, match="the disk"):
        tasks.on_engine(asked, slow)


def test_a_result_that_comes_with_the_time_out_is_the_result(worker: EngineWorker) -> None:
    class JustInTime(Future[str]):
        """Is done between the moment that waiting for it ends and the look at it."""

        def result(self, timeout: float | None = None) -> str:
            if self.done():
                return super().result(timeout)
            self.set_result("measured")
            raise TimeoutError

    class Worker(EngineWorker):
        def submit(self, work: Callable[[], Any]) -> Future[Any]:
            return JustInTime()

    made = Worker(1)
    try:
        assert Tasks(made).on_engine(job(), lambda: "unused") == "measured"
    finally:
        made.close()


def test_a_task_that_waits_for_the_engine_is_cancelled_at_once(
    tasks: Tasks, worker: EngineWorker
) -> None:
    released, seen = threading.Event(), []
    worker.submit(released.wait)
    task = tasks.start(job(), lambda job: tasks.on_engine(job, lambda: seen.append(1)))
    deadline = time.monotonic() + TIMEOUT_S
    while not tasks.is_awaited():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    tasks.cancel(task.task_id)  # the engine is still busy when the task ends
    assert tasks.wait(task.task_id, TIMEOUT_S).status is TaskStatus.CANCELLED
    released.set()
    worker.submit(lambda: None).result(TIMEOUT_S)
    assert seen == []


def test_closing_cancels_and_takes_nothing_more(worker: EngineWorker) -> None:
    tasks = Tasks(worker)
    task = tasks.start(job(), until_cancelled)
    tasks.close()
    assert tasks.get(task.task_id).status is TaskStatus.CANCELLED
    with pytest.raises(Busy):
        tasks.start(job("x"), until_cancelled)


def test_stopped_is_raised_where_the_work_looks() -> None:
    made = job()
    made.cancelled.set()
    with pytest.raises(Stopped):
        made.begin("downloading")
