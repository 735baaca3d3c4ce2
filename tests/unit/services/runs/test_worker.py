"""The engine's queue: bounded, in order, and free again after whatever happens."""

from __future__ import annotations

import threading

import pytest

from services.errors import Busy, Unavailable
from services.runs.worker import EngineWorker


@pytest.fixture
def worker():
    made = EngineWorker(limit=2)
    yield made
    made.close()


def blocked(worker: EngineWorker) -> threading.Event:
    """Keep the engine busy until the event is set."""
    began, release = threading.Event(), threading.Event()
    worker.submit(lambda: (began.set(), release.wait(10)))
    assert began.wait(5)
    return release


def test_work_is_done_one_after_the_other_in_order(worker):
    release, done = blocked(worker), []
    futures = [worker.submit(lambda i=i: done.append(i)) for i in range(2)]
    assert done == []
    release.set()
    [future.result(5) for future in futures]
    assert done == [0, 1]


def test_a_full_queue_is_busy_and_says_when_to_come_back(worker):
    release = blocked(worker)
    worker.submit(int), worker.submit(int)
    with pytest.raises(Busy) as full:
        worker.submit(int)
    assert full.value.retry_after_s > 0
    release.set()


def test_places_come_back_after_failures(worker):
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            worker.submit(lambda: 1 / 0).result(5)
    for _ in range(5):
        with pytest.raises(ValueError), worker.place():
            raise ValueError
    assert worker.submit(lambda: 7).result(5) == 7
    assert worker.is_alive


def test_a_closed_worker_takes_nothing():
    worker = EngineWorker(limit=1)
    worker.close()
    with pytest.raises(Unavailable):
        worker.submit(int)


def test_withdrawn_work_gives_its_place_back_and_is_never_done(worker):
    release, done = blocked(worker), []
    futures = [worker.submit(lambda: done.append(1)) for _ in range(2)]
    assert worker.waiting == 2
    assert worker.withdraw(futures[0]) and not worker.withdraw(futures[0])
    assert worker.waiting == 1
    last = worker.submit(lambda: done.append(2))
    release.set()
    last.result(5)
    assert done == [1, 2]
    assert not worker.withdraw(last) and worker.waiting == 0


def test_closing_fails_what_has_not_begun():
    worker = EngineWorker(limit=5)
    release = blocked(worker)
    waiting = worker.submit(int)
    closing = threading.Thread(target=worker.close, args=(0.1,))
    closing.start()
    closing.join(5)
    release.set()
    assert waiting.done()


def test_pieces_of_long_jobs_take_no_place_and_their_turn(worker):
    release, done = blocked(worker), []
    piece = worker.between(lambda: done.append("piece"))
    runs = [worker.submit(lambda i=i: done.append(i)) for i in range(2)]  # the bound is two
    assert worker.waiting == 2
    release.set()
    [run.result(5) for run in runs]
    assert done == ["piece", 0, 1]
    assert piece.done() and worker.waiting == 0


def test_a_cancelled_piece_is_never_done(worker):
    release, done = blocked(worker), []
    piece = worker.between(lambda: done.append(1))
    assert piece.cancel()
    release.set()
    worker.submit(int).result(5)
    assert done == [] and worker.waiting == 0


def test_a_closed_worker_takes_no_piece_and_fails_those_that_wait():
    worker = EngineWorker(limit=1)
    release = blocked(worker)
    piece = worker.between(int)
    closing = threading.Thread(target=worker.close, args=(0.1,))
    closing.start()
    closing.join(5)
    release.set()
    with pytest.raises(Unavailable):
        piece.result(5)
    with pytest.raises(Unavailable):
        worker.between(int)


def test_runs_are_let_through_unless_the_job_is_to_stop(worker):
    release = blocked(worker)
    worker.submit(int)
    worker.let_through(lambda: True)  # returns at once
    assert worker.waiting == 1
    threading.Timer(0.1, release.set).start()
    worker.let_through(lambda: False)
    assert worker.waiting == 0
