"""Runs under way in this process: queued for the engine, executed, and stored whatever happens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, repeat

from services.errors import ResourceExhausted, Unavailable, as_product_error
from services.runs.execution import Engine, Outcome
from services.runs.keeper import Keeper
from services.runs.live import RunInProgress, RunsInProgress
from services.runs.request import RunRequest
from services.runs.store import RunStore
from services.runs.worker import EngineWorker
from services.types import FeatureTimeline, LiveRun, RunStatus, SaeInfo, Token

log = logging.getLogger(__name__)

_PAUSES_S = (0.2, 0.5, 1, 2, 5)  # between tries to store; then again and again every ten seconds


class Dispatcher:
    """Takes runs in, has the engine execute them one by one, and knows those that are not final."""

    def __init__(self, store: RunStore, engine: Engine, worker: EngineWorker) -> None:
        self._store = store
        self._engine = engine
        self._worker = worker
        self._admission = threading.Lock()
        self._closing = threading.Event()
        self._in_progress = RunsInProgress()
        self._keeper = Keeper(store, self._in_progress)
        self._keeper.start()

    def close(self) -> None:
        """Interrupt what is under way, keep what it wrote, and stop."""
        self._closing.set()
        for run in self._in_progress.all():
            run.interrupt()
            with suppress(Unavailable, ResourceExhausted):  # the next process ends it then
                self._end_queued(run, RunStatus.INTERRUPTED)
        self._worker.close()
        self._keeper.close()

    def submit(
        self, request_id: str, request: RunRequest, fingerprint: str, saes: Sequence[SaeInfo]
    ) -> bool:
        """Store the run and queue it; False when the `request_id` exists.

        Raises:
            Busy: the queue is full; nothing is stored.
        """
        run = RunInProgress(request_id, request.max_tokens)
        # One at a time: equal requests must not fill the queue before they are seen to be equal.
        with self._admission, self._worker.place() as submit:
            # Known before it is stored, so that the keeper never takes it for lost.
            if not self._in_progress.add(run):
                return False
            try:
                is_new = self._store.insert(request_id, request, fingerprint, saes)
            except Exception:
                self._in_progress.remove(request_id)
                raise
            if not is_new:
                self._in_progress.remove(request_id)
                return False
            self._keeper.wake()
            run.work = submit(lambda: self._execute(run, request))
        return True

    def cancel(self, request_id: str) -> bool:
        """Stop the run; False when this process does not work on it."""
        run = self._in_progress.get(request_id)
        if run is None:
            return False
        run.cancelled.set()
        self._end_queued(run, RunStatus.CANCELLED)
        return True

    def _end_queued(self, run: RunInProgress, status: RunStatus) -> None:
        """End the run here when it has not begun; otherwise the engine does it."""
        if run.work is not None and self._worker.withdraw(run.work):
            self._store.end_queued(run.request_id, status)
            self._in_progress.remove(run.request_id)

    def live(self, request_id: str) -> LiveRun | None:
        """What the run has written up to now; None when this process does not work on it."""
        run = self._in_progress.get(request_id)
        if run is None:
            return None
        status = RunStatus.QUEUED if run.phase == "waiting" else RunStatus.RUNNING
        return run.snapshot(status, self._in_progress.queue_position(request_id))

    def wait(self, request_id: str, timeout_s: float | None) -> bool:
        """Wait for the run's end; False at once when this process does not work on it."""
        run = self._in_progress.get(request_id)
        if run is not None:
            run.finished.wait(timeout_s)
        return run is not None

    def extract(
        self, model_id: str, sae_ids: Sequence[str], token_ids: list[int], top_k: int
    ) -> tuple[tuple[FeatureTimeline, ...], tuple[Token, ...]]:
        """The features of a given sequence, once the engine has time for it.

        Raises:
            Busy: the queue is full.
        """
        work = partial(self._engine.extract, model_id, sae_ids, token_ids, top_k)
        return self._worker.submit(work).result()

    def _execute(self, run: RunInProgress, request: RunRequest) -> None:
        """In the engine's thread: from the claim to the last write."""
        try:
            if self._persistently(lambda: self._store.claim(run.request_id)):
                self._finish(run, self._engine.execute(request, run))
        except Exception as error:  # the engine goes on; the keeper ends the row
            log.error("run %s could not be stored", run.request_id, exc_info=error)
        finally:
            self._in_progress.remove(run.request_id)

    def _finish(self, run: RunInProgress, outcome: Outcome) -> None:
        try:
            is_ours = self._persistently(lambda: self._store.finish(run.request_id, outcome))
        except Exception as error:  # what cannot be stored must not cost the text
            without = outcome.without_features(as_product_error(error))
            is_ours = self._persistently(lambda: self._store.finish(run.request_id, without))
        if not is_ours:
            log.error("run %s was ended by another process; its result is lost", run.request_id)

    def _persistently(self, write: Callable[[], bool]) -> bool:
        """`write`, tried again while the database is away or full: a result must not be lost.

        The engine waits meanwhile, since no other run could be stored either.
        """
        for pause_s in chain(_PAUSES_S, repeat(10)):
            try:
                return write()
            except (Unavailable, ResourceExhausted) as error:
                log.warning("cannot store a run now, trying again in %s s: %s", pause_s, error)
                if self._closing.wait(pause_s):
                    break
        return write()
