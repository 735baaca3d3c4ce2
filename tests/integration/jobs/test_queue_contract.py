"""The contract of the queue of jobs, for every adapter, on both databases."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from db.job_log import KEPT_LINES
from db.job_records import Chunk, Ending, Hold, LogLine, ProgressRecord
from db.records import utc_now
from services.errors import Conflict, InvalidArgument, NotFound
from services.jobs.queue import JobQueue, LeaseLost
from services.jobs.requests import JobQuery
from services.types import JobStatus, JobView
from tests.integration.jobs.conftest import FAR, GONE, MakeQueue
from tests.made_jobs import new_job

DONE = Ending(status="succeeded", result={"made": 1})
KINDS = ("count",)


def claimed(queue: JobQueue, lease_s: float = 60) -> Hold:
    found = queue.claim(KINDS, lease_s)
    assert found is not None
    return found[0]


def reached(done: int) -> Chunk:
    return Chunk(
        progress=ProgressRecord(phase="counting", progress_done=done, progress_total=10),
        checkpoint={"done": done},
    )


def assert_lost(queue: JobQueue, hold: Hold) -> None:
    """Nothing that is written under this hold has an effect."""
    before = queue.get(hold.job_id)
    writes: list[Any] = []
    for attempted in (
        lambda: queue.keep(hold, 60, reached(99), writes.append),
        lambda: queue.finish(hold, DONE, reached(99)),
        lambda: queue.finish(hold, Ending(status="failed"), Chunk()),
        lambda: queue.hand_back(hold, reached(99)),
        lambda: queue.is_cancelled(hold),
    ):
        with pytest.raises(LeaseLost):
            attempted()
    assert queue.get(hold.job_id) == before
    assert not writes


def test_a_job_is_queued_claimed_kept_and_done(queue: JobQueue) -> None:
    job = new_job(priority=3)
    queued = queue.submit(job)
    assert (queued.status, queued.attempt, queued.title) == (JobStatus.QUEUED, 0, "Count to 10")
    found = queue.claim(KINDS, 60)
    assert found is not None
    hold, record = found
    assert record.params == {"to": 10} and record.checkpoint is None
    assert hold == Hold(job.job_id, FAR, 1)
    assert queue.claim(KINDS, 60) is None
    assert queue.keep(hold, 60, reached(4)) is False
    running = queue.get(job.job_id)
    assert (running.status, running.phase, running.done, running.total) == (
        JobStatus.RUNNING, "counting", 4, 10,
    )  # fmt: skip
    assert running.is_resumable and running.owner == FAR and running.started_at
    assert queue.finish(hold, DONE, reached(10)) is JobStatus.SUCCEEDED
    done = queue.get(job.job_id)
    assert (done.status, done.result, done.done) == (JobStatus.SUCCEEDED, {"made": 1}, 10)
    assert done.finished_at and done.owner is None
    assert_lost(queue, hold)


def test_higher_priorities_go_first_and_the_oldest_of_them(queue: JobQueue) -> None:
    jobs = [new_job(priority=p) for p in (0, 5, -5, 5, 0)]
    for job in jobs:
        queue.submit(job)
    order = [claimed(queue).job_id for _ in jobs]
    assert order == [jobs[i].job_id for i in (1, 3, 0, 4, 2)]


def test_only_known_kinds_and_the_named_job_are_claimed(queue: JobQueue) -> None:
    other, job, last = new_job(kind="other"), new_job(), new_job()
    for each in (other, job, last):
        queue.submit(each)
    assert queue.claim((), 60) is None
    found = queue.claim(KINDS, 60, last.job_id)
    assert found is not None and found[0].job_id == last.job_id
    assert queue.claim(KINDS, 60, last.job_id) is None
    assert claimed(queue).job_id == job.job_id
    assert queue.claim(KINDS, 60) is None
    assert queue.get(other.job_id).status is JobStatus.QUEUED


def test_the_same_key_and_body_is_the_same_job(queue: JobQueue) -> None:
    first = queue.submit(new_job(request_key="k"))
    assert queue.submit(new_job(request_key="k")).job_id == first.job_id
    with pytest.raises(Conflict, match="request_key k"):
        queue.submit(new_job(request_key="k", fingerprint="other"))
    queue.finish(claimed(queue), DONE, Chunk())
    assert queue.submit(new_job(request_key="k")).status is JobStatus.SUCCEEDED
    assert len(queue.page(JobQuery()).items) == 1


def test_fifty_parallel_submits_of_one_key_make_one_job(queue: JobQueue) -> None:
    gate = threading.Barrier(10)

    def submit(_: int) -> str:
        gate.wait()
        return queue.submit(new_job(request_key="k")).job_id

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(submit, range(50)))) == 1


def test_parallel_claims_give_each_job_to_one(queue_of: MakeQueue) -> None:
    jobs = [queue_of().submit(new_job()).job_id for _ in range(40)]

    def claim_all(worker: int) -> list[str]:
        queue, mine = queue_of(f"elsewhere/{worker}/1"), []
        while (found := queue.claim(KINDS, 60)) is not None:
            mine.append(found[0].job_id)
        return mine

    with ThreadPoolExecutor(4) as pool:
        taken = [job_id for mine in pool.map(claim_all, range(4)) for job_id in mine]
    assert sorted(taken) == sorted(jobs)


def test_a_lease_that_ran_out_is_taken_and_its_old_holder_changes_nothing(queue: JobQueue) -> None:
    job_id = queue.submit(new_job()).job_id
    zombie = claimed(queue, lease_s=0.2)
    queue.keep(zombie, 0.2, reached(3))
    assert queue.recover() == ()
    time.sleep(0.25)
    assert queue.recover() == (job_id,)
    assert_lost(queue, zombie)
    found = queue.claim(KINDS, 60)
    assert found is not None
    hold, record = found
    assert (hold.attempt, record.crashes, record.checkpoint) == (2, 1, {"done": 3})
    assert_lost(queue, zombie)
    assert queue.finish(hold, DONE, reached(10)) is JobStatus.SUCCEEDED
    assert_lost(queue, zombie)


def test_the_same_owner_does_not_pass_for_its_earlier_attempt(queue: JobQueue) -> None:
    queue.submit(new_job())
    old = claimed(queue)
    queue.hand_back(old, Chunk())
    new = claimed(queue)
    assert (old.owner, old.job_id) == (new.owner, new.job_id)
    assert_lost(queue, old)
    assert_lost(queue, replace(new, owner="elsewhere/8/1"))
    assert queue.keep(new, 60, reached(1)) is False


def test_dead_owners_of_this_host_lose_their_jobs_at_once(queue_of: MakeQueue) -> None:
    queue_of().submit(new_job())
    hold = claimed(queue_of(GONE))
    assert queue_of().recover() == (hold.job_id,)
    assert queue_of().get(hold.job_id).status is JobStatus.QUEUED


def test_keeping_prolongs_the_lease(queue: JobQueue) -> None:
    queue.submit(new_job())
    hold = claimed(queue, lease_s=0.3)
    for _ in range(4):
        time.sleep(0.15)
        queue.keep(hold, 0.3, Chunk())
        assert queue.recover() == ()


def test_a_job_that_crashes_its_workers_fails_with_the_reason(queue_of: MakeQueue) -> None:
    job_id = queue_of().submit(new_job(max_attempts=3)).job_id
    for attempt in (1, 2, 3):
        hold = claimed(queue_of(GONE))
        assert hold.attempt == attempt
        queue_of(GONE).keep(hold, 60, reached(attempt))
        queue_of().recover()
    failed = queue_of().get(job_id)
    assert (failed.status, failed.error_code) == (JobStatus.FAILED, "CRASHED")
    assert GONE in str(failed.error_message) and "3 attempts" in str(failed.error_message)
    assert queue_of().claim(KINDS, 60) is None
    again = queue_of().retry(job_id)
    assert (again.status, again.crashes, again.error_code) == (JobStatus.QUEUED, 0, None)
    found = queue_of().claim(KINDS, 60)
    assert found is not None and found[1].checkpoint == {"done": 3} and found[0].attempt == 4


def test_handing_back_spends_no_attempt(queue: JobQueue) -> None:
    job_id = queue.submit(new_job(max_attempts=1)).job_id
    for i in range(5):
        queue.hand_back(claimed(queue), reached(i))
        queue.keep(claimed(queue), 60, reached(i))
        queue.hand_back(Hold(job_id, FAR, 2 * i + 2), Chunk())
    view = queue.get(job_id)
    assert (view.status, view.crashes, view.attempt) == (JobStatus.QUEUED, 0, 10)
    found = queue.claim(KINDS, 60)
    assert found is not None and found[1].checkpoint == {"done": 4}


def test_cancelling_what_waits_ends_it(queue: JobQueue) -> None:
    job_id = queue.submit(new_job()).job_id
    cancelled = queue.cancel(job_id)
    assert cancelled.status is JobStatus.CANCELLED and cancelled.finished_at
    assert queue.claim(KINDS, 60) is None
    assert queue.cancel(job_id) == cancelled


@pytest.mark.parametrize("how", ["succeed", "cancel", "hand back", "crash"])
def test_a_cancelled_job_never_becomes_succeeded(queue: JobQueue, how: str) -> None:
    job_id = queue.submit(new_job()).job_id
    hold = claimed(queue, lease_s=0.1)
    asked = queue.cancel(job_id)
    assert asked.status is JobStatus.RUNNING and asked.is_cancelling
    assert queue.is_cancelled(hold)
    if how == "succeed":
        assert queue.finish(hold, DONE, reached(2)) is JobStatus.CANCELLED
    elif how == "cancel":
        assert queue.keep(hold, 60, reached(2)) is True
        assert queue.finish(hold, Ending(status="cancelled"), reached(2)) is JobStatus.CANCELLED
    elif how == "hand back":
        queue.hand_back(hold, reached(2))
    else:
        time.sleep(0.15)
        assert queue.recover() == (job_id,)
    view = queue.get(job_id)
    assert view.status is JobStatus.CANCELLED and view.result is None and view.finished_at
    assert not view.is_cancelling
    assert_lost(queue, hold)


def test_a_cancelled_job_goes_on_from_its_checkpoint_when_it_is_retried(queue: JobQueue) -> None:
    job_id = queue.submit(new_job()).job_id
    old = claimed(queue)
    queue.keep(old, 60, reached(6))
    queue.cancel(job_id)
    queue.finish(old, Ending(status="cancelled"), reached(6))
    queue.retry(job_id)
    found = queue.claim(KINDS, 60)
    assert found is not None
    hold, record = found
    assert record.checkpoint == {"done": 6} and record.cancel_requested_at is None
    assert_lost(queue, old)
    assert queue.finish(hold, DONE, reached(10)) is JobStatus.SUCCEEDED


def test_only_failed_and_cancelled_jobs_are_retried(queue: JobQueue) -> None:
    job_id = queue.submit(new_job()).job_id
    with pytest.raises(Conflict, match="queued"):
        queue.retry(job_id)
    hold = claimed(queue)
    with pytest.raises(Conflict, match="running"):
        queue.retry(job_id)
    queue.finish(hold, DONE, Chunk())
    with pytest.raises(Conflict, match="succeeded"):
        queue.retry(job_id)


def test_results_are_written_with_the_chunk_or_not_at_all(queue: JobQueue) -> None:
    job_id = queue.submit(new_job()).job_id
    hold = claimed(queue)

    def fails(_session: object) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        queue.keep(hold, 60, reached(5), fails)
    view = queue.get(job_id)
    assert (view.done, view.is_resumable) == (0, False)


@pytest.mark.parametrize("bad", [float("nan"), np.int64(3), "\x00", "\ud800", object()])
def test_a_checkpoint_that_cannot_be_stored_is_refused(queue: JobQueue, bad: object) -> None:
    queue.submit(new_job())
    hold = claimed(queue)
    with pytest.raises(ValueError):
        queue.keep(hold, 60, Chunk(checkpoint={"x": bad}))
    assert queue.keep(hold, 60, reached(1)) is False


def test_the_log_tells_what_happened_and_is_bounded(queue: JobQueue) -> None:
    job_id = queue.submit(new_job()).job_id
    hold = claimed(queue)
    queue.keep(hold, 60, Chunk(log=[LogLine("first"), LogLine("odd", "warning")]))
    told = queue.log(job_id)
    assert [(line.line, line.level, line.message) for line in told[1:]] == [
        (2, "info", "first"), (3, "warning", "odd"),
    ]  # fmt: skip
    assert all(line.attempt == 1 for line in told) and FAR in told[0].message
    for i in range(3):
        queue.keep(hold, 60, Chunk(log=[LogLine(f"{i} {n}" + "x" * 5000) for n in range(250)]))
    told = queue.log(job_id)
    assert len(told) == KEPT_LINES
    assert [line.line for line in told] == list(range(254, 754))
    assert max(len(line.message) for line in told) <= 2000
    queue.finish(hold, Ending(status="failed", error_code="X", error_message="because"), Chunk())
    assert (queue.log(job_id)[-1].level, queue.log(job_id)[-1].message) == ("error", "because")


def test_pages_hold_every_job_once_newest_first(queue: JobQueue) -> None:
    moment = utc_now()
    times = [moment + timedelta(seconds=i // 3) for i in range(10)]  # some at the same time
    made = [queue.submit(new_job(created_at=at, kind=f"k{i % 2}")) for i, at in enumerate(times)]
    seen: list[JobView] = []
    cursor = None
    while True:
        page = queue.page(JobQuery(limit=3, cursor=cursor))
        seen += page.items
        if (cursor := page.next_cursor) is None:
            break
    assert [job.job_id for job in seen] == [job.job_id for job in reversed(made)]
    assert len(queue.page(JobQuery(kind="k1")).items) == 5
    assert queue.page(JobQuery(status=JobStatus.FAILED)).items == ()
    with pytest.raises(InvalidArgument, match="cursor"):
        queue.page(JobQuery(cursor="x"))


def test_a_part_names_its_whole_until_that_is_forgotten(queue: JobQueue) -> None:
    whole = queue.submit(new_job()).job_id
    part = queue.submit(new_job(parent_id=whole)).job_id
    assert [job.job_id for job in queue.page(JobQuery(parent_id=whole)).items] == [part]
    with pytest.raises(NotFound):
        queue.submit(new_job(parent_id="0" * 36))
    queue.cancel(whole)
    assert queue.prune(utc_now() + timedelta(seconds=1)) == 1
    assert queue.get(part).parent_id is None


def test_old_final_jobs_are_forgotten_with_their_logs_and_no_others(queue: JobQueue) -> None:
    kept = [queue.submit(new_job(kind="waits")).job_id]
    ended = [queue.submit(new_job()).job_id for _ in range(3)]
    for _ in ended:
        queue.finish(claimed(queue), DONE, Chunk())
    queue.submit(new_job())
    kept.append(claimed(queue).job_id)
    assert queue.prune(utc_now() - timedelta(days=1)) == 0
    assert queue.prune(utc_now() + timedelta(seconds=1)) == 3
    assert {job.job_id for job in queue.page(JobQuery()).items} == set(kept)
    for job_id in ended:
        with pytest.raises(NotFound):
            queue.log(job_id)


def test_what_is_not_there_is_not_found(queue: JobQueue) -> None:
    for ask in (queue.get, queue.log, queue.cancel, queue.retry):
        with pytest.raises(NotFound, match="no job"):
            ask("nothing")
