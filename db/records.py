"""The plain values that the repositories take and give: frozen, without rows, sessions or types
of SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int32]
FloatArray = NDArray[np.float32]
CountArray = NDArray[np.uint32]
BoolArray = NDArray[np.bool_]

ACTIVE = ("queued", "running")
FINAL = ("ok", "partial", "error", "cancelled", "interrupted")
STATUSES = (*ACTIVE, *FINAL)


def utc_now() -> datetime:
    """The application's clock; the databases' own clocks differ in zone and resolution."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIndexRecord:
    """One line of the list of runs."""

    request_id: str
    created_at: datetime
    updated_at: datetime
    model_id: str
    status: str  # one of STATUSES
    fingerprint: str
    prompt_preview: str
    prompt_chars: int
    sae_top_k: int
    prompt_tokens: int = 0
    output_tokens: int = 0
    events_count: int = 0
    actions_count: int = 0
    activation_rows_count: int = 0
    unique_features_count: int = 0
    sae_ids: tuple[str, ...] = ()
    sae_layers: tuple[int, ...] = ()
    error_message: str | None = None
    duration_ms: int | None = None
    finish_reason: str | None = None
    top_features_preview: tuple[tuple[str, int], ...] = ()  # (sae_id, feature_id)
    notes: str = ""
    owner: str | None = None
    heartbeat_at: datetime | None = None
    run_seq: int | None = None  # given by the repository: ordered as created_at

    @property
    def sae_enabled(self) -> bool:
        """Whether features were asked for."""
        return bool(self.sae_ids)


@dataclass(frozen=True, slots=True)
class TokenTable:
    """What is shown of each of the n tokens of prompt and output."""

    texts: tuple[str, ...]
    is_special: BoolArray  # [n]
    logprobs: FloatArray  # [n]; NaN where there is none

    @classmethod
    def empty(cls) -> TokenTable:
        """No tokens."""
        return cls((), np.zeros(0, bool), np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunText:
    """What the model read and wrote up to now."""

    rendered_prompt: str = ""
    prompt_token_ids: Sequence[int] = ()
    output_text: str = ""
    output_token_ids: Sequence[int] = ()
    tokens: TokenTable = field(default_factory=TokenTable.empty)  # prompt, then output


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPreviewRecord:
    """The texts of a run, what was asked for, and what it was computed with."""

    prompt: str
    request: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    text: RunText = field(default_factory=RunText)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRecord:
    """What one SAE saw at each of n positions; m features are kept per position.

    When `error` is set, the SAE failed and every array has n = 0.
    """

    sae_id: str
    hook_name: str
    layer: int
    top_k: int
    feature_ids: IntArray  # [n, m]; unused places are -1 and last in their row
    activations: FloatArray  # [n, m]; 0 at unused places
    l0: IntArray  # [n]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FiredFeatures:
    """Per feature that fired in a run: its maximum and the number of positions; n features."""

    sae_id: str
    feature_ids: IntArray  # [n], ascending
    max_activation: FloatArray  # [n]
    hits: CountArray  # [n]

    @classmethod
    def from_dense(
        cls, sae_id: str, feature_max: FloatArray, feature_hits: NDArray[np.integer[Any]]
    ) -> FiredFeatures:
        """From arrays over all features, [d_sae]; those with hits fired."""
        fired = np.flatnonzero(feature_hits)
        return cls(
            sae_id,
            fired.astype(np.int32),
            feature_max[fired].astype(np.float32),
            feature_hits[fired].astype(np.uint32),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """All that `finish` stores, in one transaction."""

    status: str  # one of FINAL
    text: RunText
    error_message: str | None = None
    finish_reason: str | None = None
    duration_ms: int | None = None
    events_count: int = 0
    actions_count: int = 0
    activation_rows_count: int = 0
    unique_features_count: int = 0
    top_features_preview: tuple[tuple[str, int], ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    timelines: Sequence[TimelineRecord] = ()
    fired: Sequence[FiredFeatures] = ()


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as read; `preview` and `timelines` only when asked for."""

    index: RunIndexRecord
    preview: RunPreviewRecord | None = None
    timelines: tuple[TimelineRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class FeatureFilter:
    """Runs in which a feature fired, `above` a value when one is given."""

    sae_id: str
    feature_id: int
    above: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list; what is None does not filter."""

    status: str | None = None
    model_id: str | None = None
    sae_id: str | None = None
    sae_enabled: bool | None = None
    text: str | None = None  # within the first SEARCHED_CHARS of the prompt, in any case
    feature: FeatureFilter | None = None


Cursor = tuple[datetime, str]  # (created_at, request_id) of the last run of the page before
