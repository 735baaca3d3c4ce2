"""What the runs of this process have written so far.

The decode loop appends to a list and nothing more: the texts that followers see are made when a
follower asks, so that watching a run costs the run nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from services.text import storable
from services.types import LiveRun, RunStatus, Segment, Token

TokenTexts = Callable[[list[int]], list[str]]
DecodeText = Callable[[list[int]], str]


@dataclass
class RunInProgress:
    """The mutable state of one run between its start and its last write.

    The worker thread writes; followers and the keeper only read. `output_ids` grows by append,
    which needs no lock.
    """

    request_id: str
    max_tokens: int
    phase: str = "waiting"
    prompt_tokens: tuple[Token, ...] = ()
    output_ids: list[int] = field(default_factory=list)
    special_ids: frozenset[int] = frozenset()
    token_texts: TokenTexts | None = None
    decode_text: DecodeText | None = None
    rendered_prompt: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
    work: Future[Any] | None = None  # its place in the engine's queue
    is_interrupted: bool = False
    writing_since: float | None = None
    writing_ended: float | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)

    def interrupt(self) -> None:
        """Stop, because the process does."""
        self.is_interrupted = True
        self.cancelled.set()

    def add_token(self, token_id: int) -> None:
        """The decode loop wrote a token."""
        self.output_ids.append(token_id)

    def output_tokens(self, logprobs: list[float] | None = None) -> tuple[Token, ...]:
        """The tokens written so far, without log-probabilities until these are known."""
        ids = list(self.output_ids)
        texts = self.token_texts(ids) if self.token_texts else []
        start = len(self.prompt_tokens)
        return tuple(
            Token(
                position=start + i,
                token_id=token_id,
                text=text,
                is_special=token_id in self.special_ids,
                segment=Segment.OUTPUT,
                logprob=logprobs[i] if logprobs else None,
            )
            for i, (token_id, text) in enumerate(zip(ids, texts, strict=True))
        )

    def output_text(self) -> str:
        """The text written so far, without end tokens and other special ones."""
        return storable(self.decode_text(list(self.output_ids))) if self.decode_text else ""

    def tokens_per_s(self) -> float:
        """Rate of writing, 0 before the first token."""
        if self.writing_since is None or not self.output_ids:
            return 0.0
        elapsed = (self.writing_ended or time.monotonic()) - self.writing_since
        return len(self.output_ids) / max(elapsed, 1e-6)

    def snapshot(self, status: RunStatus, queue_position: int) -> LiveRun:
        """What a follower sees now."""
        return LiveRun(
            request_id=self.request_id,
            status=status,
            phase=self.phase,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens(),
            max_tokens=self.max_tokens,
            tokens_per_s=self.tokens_per_s(),
            queue_position=queue_position,
        )


class RunsInProgress:
    """The runs that this process has accepted and not yet finished, in order of acceptance."""

    def __init__(self) -> None:
        self._runs: dict[str, RunInProgress] = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._runs)

    def add(self, run: RunInProgress) -> bool:
        """A run is accepted; False when there is one of its id."""
        with self._lock:
            return self._runs.setdefault(run.request_id, run) is run

    def get(self, request_id: str) -> RunInProgress | None:
        """The run, when this process works on it."""
        return self._runs.get(request_id)

    def remove(self, request_id: str) -> None:
        """The run's last write is done: wake those who wait for it."""
        with self._lock:
            run = self._runs.pop(request_id, None)
        if run is not None:
            run.phase = "done"
            run.finished.set()

    def all(self) -> list[RunInProgress]:
        """All of them, oldest first."""
        with self._lock:
            return list(self._runs.values())

    def queue_position(self, request_id: str) -> int:
        """How many runs come before this one; 0 when it is its turn."""
        return next((i for i, run in enumerate(self.all()) if run.request_id == request_id), 0)
