"""Whatever is done with jobs in whatever order: each is where a simple model says it is."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from db.job_records import Chunk, Ending, Hold
from db.jobs import JobRepository
from services.database import open_database
from services.errors import Conflict
from services.jobs.queue import LeaseLost
from services.jobs.table_queue import TableQueue
from tests.made_jobs import new_job

_MAX_CRASHES = 2


@dataclass
class Model:
    """A job as it should be."""

    status: str = "queued"
    attempt: int = 0
    crashes: int = 0
    is_cancelling: bool = False
    checkpoint: int | None = None
    holder: str | None = None


class JobsMachine(RuleBasedStateMachine):
    """Two workers and a user over one SQLite database."""

    jobs = Bundle("jobs")
    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._database = open_database(f"sqlite:///{Path(self._folder.name) / 'x.sqlite'}")
        self._queue = TableQueue(self._database)
        self._models: dict[str, Model] = {}

    def teardown(self) -> None:
        self._database.close()
        self._folder.cleanup()

    def _held(self, hold: Hold) -> bool:
        model = self._models[hold.job_id]
        is_current = (model.attempt, model.holder) == (hold.attempt, hold.owner)
        return model.status == "running" and is_current

    def _left(self, model: Model, status: str) -> None:
        model.status, model.holder = status, None

    @rule(target=jobs)
    def submit(self) -> str:
        view = self._queue.submit(new_job(max_attempts=_MAX_CRASHES))
        self._models[view.job_id] = Model()
        return view.job_id

    @rule(target=holds, worker=st.sampled_from(["elsewhere/1/1", "elsewhere/2/1"]))
    def claim(self, worker: str) -> Any:
        found = TableQueue(self._database, worker).claim(("count",), 3600)
        waiting = sorted(id for id, model in self._models.items() if model.status == "queued")
        if found is None:
            assert not waiting
            return Hold("none", "none", 0)
        hold, record = found
        model = self._models[hold.job_id]
        assert hold.job_id == waiting[0]
        assert (record.checkpoint or {}).get("done") == model.checkpoint
        model.status, model.holder, model.attempt = "running", worker, model.attempt + 1
        return hold

    @rule(hold=holds, done=st.integers(0, 1000))
    def keep(self, hold: Hold, done: int) -> None:
        if hold.attempt == 0:
            return
        is_held = self._held(hold)
        try:
            asked = self._queue.keep(hold, 3600, Chunk(checkpoint={"done": done}))
        except LeaseLost:
            assert not is_held
        else:
            assert is_held and asked == self._models[hold.job_id].is_cancelling
            self._models[hold.job_id].checkpoint = done

    @rule(hold=holds, status=st.sampled_from(["succeeded", "failed", "cancelled"]))
    def finish(self, hold: Hold, status: str) -> None:
        if hold.attempt == 0:
            return
        is_held, model = self._held(hold), self._models[hold.job_id]
        try:
            ended = self._queue.finish(hold, Ending(status=status), Chunk()).value
        except LeaseLost:
            assert not is_held
        else:
            cancelled = status == "succeeded" and model.is_cancelling
            assert is_held and ended == ("cancelled" if cancelled else status)
            self._left(model, ended)

    @rule(hold=holds)
    def hand_back(self, hold: Hold) -> None:
        if hold.attempt == 0:
            return
        is_held, model = self._held(hold), self._models[hold.job_id]
        try:
            self._queue.hand_back(hold, Chunk())
        except LeaseLost:
            assert not is_held
        else:
            assert is_held
            self._left(model, "cancelled" if model.is_cancelling else "queued")

    @rule(worker=st.sampled_from(["elsewhere/1/1", "elsewhere/2/1"]))
    def crash(self, worker: str) -> None:
        with self._database.write() as session:
            reaped = set(JobRepository(session).reap([worker]))
        lost = {id for id, m in self._models.items() if m.holder == worker}
        assert reaped == lost
        for model in (self._models[job_id] for job_id in lost):
            model.crashes += 1
            failed = "failed" if model.crashes >= _MAX_CRASHES else "queued"
            self._left(model, "cancelled" if model.is_cancelling else failed)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        self._queue.cancel(job_id)
        model = self._models[job_id]
        if model.status == "queued":
            self._left(model, "cancelled")
        elif model.status == "running":
            model.is_cancelling = True

    @rule(job_id=jobs)
    def retry(self, job_id: str) -> None:
        model = self._models[job_id]
        can = model.status in ("failed", "cancelled")
        with suppress(Conflict):
            self._queue.retry(job_id)
            assert can
            model.crashes, model.is_cancelling = 0, False
            self._left(model, "queued")
            can = False
        assert not can

    @invariant()
    def all_are_as_the_model_says(self) -> None:
        for job_id, model in self._models.items():
            view = self._queue.get(job_id)
            assert (view.status.value, view.attempt, view.owner, view.crashes) == (
                model.status, model.attempt, model.holder, model.crashes,
            )  # fmt: skip
            assert view.is_resumable == (model.checkpoint is not None)
            assert (view.finished_at is None) == (model.status in ("queued", "running"))


TestJobsMachine = JobsMachine.TestCase
TestJobsMachine.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
