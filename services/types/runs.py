"""What a run is, as it is listed, shown and followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int32]
FloatArray = NDArray[np.float32]


class RunStatus(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"  # stored, waits for the engine
    RUNNING = "running"  # the engine works on it
    OK = "ok"  # all asked for is there
    PARTIAL = "partial"  # the text is there, at least one SAE failed
    ERROR = "error"  # no complete text
    CANCELLED = "cancelled"  # stopped by a user; what was written is kept
    INTERRUPTED = "interrupted"  # its process ended; what was written is kept

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the run."""
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)


class Segment(StrEnum):
    """Which part of the sequence a token belongs to."""

    PROMPT = "prompt"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the finished sequence; `position` counts from 0 and includes BOS."""

    position: int
    token_id: int
    text: str  # as shown: bytes that are no text on their own appear as \xNN
    is_special: bool  # BOS, EOS, other special and all chat-template tokens
    segment: Segment
    logprob: float | None  # natural log, model's own distribution; None for prompt tokens


@dataclass(frozen=True, slots=True)
class FeatureTimeline:
    """What one SAE saw at each of `n` positions of a run.

    `m` features are kept per position: all that fire, up to max(top_k, 256), so that a single
    feature can be followed exactly; tables and rankings use the first `top_k` columns. When
    `error` is set the SAE failed and every array has n = 0.
    """

    sae_id: str
    hook_name: str
    layer: int
    top_k: int
    feature_ids: IntArray  # [n, m], descending by |activation|; -1 where fewer than m fire
    activations: FloatArray  # [n, m], 0 where feature_ids is -1
    l0: IntArray  # [n], features that fire at the position, kept or not
    error: str | None = None

    def values_of(self, feature_id: int) -> FloatArray:
        """The feature's activation by position, [n]; 0 where it does not fire."""
        return np.where(self.feature_ids == feature_id, self.activations, 0).sum(
            1, dtype=np.float32
        )


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of the list of runs."""

    request_id: str
    created_at: datetime
    updated_at: datetime
    status: RunStatus
    error_message: str | None
    model_id: str
    sae_ids: tuple[str, ...]
    sae_layers: tuple[int, ...]
    sae_top_k: int
    prompt_preview: str
    prompt_chars: int
    prompt_tokens: int
    output_tokens: int
    activation_rows_count: int
    unique_features_count: int
    duration_ms: int | None
    finish_reason: str | None  # stop | length | context | cancelled
    top_features_preview: tuple[tuple[str, int], ...]  # (sae_id, feature_id), strongest first
    notes: str
    events_count: int = 0
    actions_count: int = 0

    @property
    def sae_enabled(self) -> bool:
        """Whether features were asked for."""
        return bool(self.sae_ids)


@dataclass(frozen=True, slots=True)
class RunView:
    """Everything of a run. While it runs, `tokens` holds what was written so far."""

    summary: RunSummary
    prompt: str
    rendered_prompt: str  # what the tokenizer saw: the chat template filled in, or the prompt
    output_text: str
    tokens: tuple[Token, ...]
    timelines: tuple[FeatureTimeline, ...]
    request: Mapping[str, Any]  # the accepted request, complete: posting it again reruns the run
    provenance: Mapping[str, Any]  # revisions, dtype, device, seed, library versions, timings

    def timeline(self, sae_id: str | None) -> FeatureTimeline | None:
        """The named SAE's timeline, or the first usable one; None when there is none."""
        usable = [t for t in self.timelines if t.error is None]
        named = [t for t in usable if t.sae_id == sae_id]
        return next(iter(named or usable), None)


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What a run has written up to now, as followers see it."""

    request_id: str
    status: RunStatus
    phase: str  # waiting | loading model | reading prompt | writing | reading features | done
    prompt_tokens: tuple[Token, ...]
    output_tokens: tuple[Token, ...]
    max_tokens: int
    tokens_per_s: float
    queue_position: int  # 0 while running
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of the list of runs; `next_cursor` is None on the last one."""

    items: tuple[RunSummary, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class FeatureInRun:
    """How strongly, and how often, a feature fired in a run, special tokens left out."""

    max_activation: float
    hits: int


@dataclass(frozen=True, slots=True)
class ActivationRow:
    """One feature at one position, as the rows endpoint and the grid show it."""

    step: int  # 0 for prompt positions, 1-based decode step for output positions
    token_position: int
    token_id: int
    token_str: str
    segment: Segment
    is_special: bool
    sae_id: str
    feature_id: int
    activation_value: float
    rank: int  # from 1, by activation at the position


@dataclass(frozen=True, slots=True)
class TopFeature:
    """One feature's aggregate over the chosen positions, computed from the kept top-k."""

    sae_id: str
    feature_id: int
    max_activation: float
    hits: int  # positions at which the feature is among the kept top-k
    mean_activation: float  # over those positions
    argmax_position: int


@dataclass(frozen=True, slots=True)
class FeatureDelta:
    """A feature's value at a position and its change against the position before or a baseline."""

    token_position: int
    token_id: int
    token_str: str
    activation_value: float
    baseline_value: float | None  # the compared value; None where there is nothing to compare with
    baseline_position: int | None
    delta: float | None


@dataclass(frozen=True, slots=True)
class FeatureDeltas:
    """Value and change by position of one feature."""

    sae_id: str
    feature_id: int
    points: tuple[FeatureDelta, ...]
