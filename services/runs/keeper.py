"""Keeps what running runs have written, so that a killed process loses at most a second.

One thread beside the engine's: it writes the text so far after every 32 tokens or second, says
that this process is alive, and marks the runs of dead processes as interrupted.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from services.errors import ResourceExhausted, Unavailable
from services.runs.live import RunInProgress, RunsInProgress
from services.runs.store import RunStore

log = logging.getLogger(__name__)

TICK_S = 0.05
CHECKPOINT_TOKENS = 32
CHECKPOINT_S = 1.0  # a slow model's text is kept this often
CHECKPOINT_PAUSE_S = 0.25  # a fast model is not slowed down by its keeping
HEARTBEAT_S = 5.0
STALE_AFTER_S = 60.0  # silence after which a process of another host counts as dead


@dataclass
class _Kept:
    """What was last written of a run."""

    tokens: int = 0
    at: float = 0.0


class Keeper:
    """Checkpoints and heartbeats of this process's runs, in a thread of its own."""

    def __init__(self, store: RunStore, runs: RunsInProgress) -> None:
        self._store = store
        self._runs = runs
        self._kept: dict[str, _Kept] = {}
        self._closed = False
        self._wake = threading.Event()
        self._heartbeat_at = 0.0
        self._thread = threading.Thread(target=self._serve, name="keeper", daemon=True)

    def start(self) -> None:
        """Mark what dead processes left behind, then keep watch."""
        self._beat()
        self._thread.start()

    def wake(self) -> None:
        """A run was accepted: watch closely from now on."""
        self._wake.set()

    def close(self) -> None:
        """Stop watching."""
        self._closed = True
        self._wake.set()
        self._thread.join(5)

    def _serve(self) -> None:
        while not self._closed:
            self._wake.wait(TICK_S if self._runs else HEARTBEAT_S)
            self._wake.clear()
            try:
                self._beat()
                self._checkpoint_all()
            except (Unavailable, ResourceExhausted) as error:  # what is in memory stays there
                log.warning("could not keep the running runs, trying again: %s", error)
                time.sleep(CHECKPOINT_S)
            except Exception as error:  # without this thread no run would be kept any more
                log.error("could not keep the running runs", exc_info=error)
                time.sleep(CHECKPOINT_S)

    def _beat(self) -> None:
        if time.monotonic() - self._heartbeat_at < HEARTBEAT_S:
            return
        self._store.tend([run.request_id for run in self._runs.all()], STALE_AFTER_S)
        self._heartbeat_at = time.monotonic()

    def _checkpoint_all(self) -> None:
        running = self._runs.all()
        for run in running:
            self._checkpoint(run)
        self._kept = {r.request_id: self._kept[r.request_id] for r in running}

    def _checkpoint(self, run: RunInProgress) -> None:
        kept = self._kept.setdefault(run.request_id, _Kept())
        new, age_s = len(run.output_ids) - kept.tokens, time.monotonic() - kept.at
        enough = new >= CHECKPOINT_TOKENS and age_s >= CHECKPOINT_PAUSE_S
        if enough or (new and age_s >= CHECKPOINT_S):
            kept.tokens, kept.at = len(run.output_ids), time.monotonic()
            self._store.checkpoint(run)
