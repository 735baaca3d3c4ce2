"""What REST answers, as the OpenAPI document says it.

The answers themselves are built by `services.runs.payloads`; these models describe them, and the
tests hold every answer against its model.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from services.types import RunStatus, Segment


class ErrorBody(BaseModel):
    """Every error, whatever went wrong."""

    status: Literal["error"]
    error_code: str
    message: str
    details: dict[str, Any]


class RunSummaryBody(BaseModel):
    """One line of the list of runs."""

    request_id: str
    created_at: str
    updated_at: str
    status: RunStatus
    error_message: str | None
    model_id: str
    sae_enabled: bool
    sae_id: str | None = Field(description="the first of `sae_ids`")
    sae_ids: list[str]
    sae_layer: int | None = Field(description="the first of `sae_layers`")
    sae_layers: list[int]
    sae_top_k: int
    prompt_preview: str
    prompt_chars: int
    prompt_tokens: int
    output_tokens: int
    events_count: int
    actions_count: int
    activation_rows_count: int
    unique_features_count: int
    duration_ms: int | None
    finish_reason: Literal["stop", "length", "context", "cancelled"] | None
    top_features_preview: list[tuple[str, int]] = Field(description="(sae_id, feature_id)")
    notes: str


class ActivationRowBody(BaseModel):
    """One feature at one position."""

    step: int = Field(description="0 for prompt positions, the 1-based decode step for output")
    token_position: int
    token_id: int
    token_str: str
    segment: Segment
    is_special: bool
    sae_id: str
    feature_id: int
    activation_value: float | None
    rank: int = Field(description="from 1, by activation at the position")


class OutputBody(BaseModel):
    """What the model wrote."""

    text: str
    token_ids: list[int]
    logprobs: list[float | None]


class PreviewBody(BaseModel):
    """The rows of the strongest features at every position, as many ranks as fit in 20,000 rows."""

    events: list[Any]
    actions: list[Any]
    activation_rows: list[ActivationRowBody]


class RunBody(BaseModel):
    """A run, just made; while it runs, without output and preview."""

    request_id: str
    status: RunStatus
    run_summary: RunSummaryBody
    output: OutputBody | None
    preview: PreviewBody | None
    created_at: str


class RunPageBody(BaseModel):
    """One page of runs, newest first."""

    items: list[RunSummaryBody]
    next_cursor: str | None = Field(description="null on the last page")


class RowsBody(BaseModel):
    """A page of activation rows."""

    request_id: str
    row_count: int = Field(description="rows in this answer")
    total: int = Field(description="rows that pass the filters")
    next_offset: int | None = Field(description="`offset` of the next page; null on the last")
    rows: list[ActivationRowBody]


class TopFeatureBody(BaseModel):
    """One feature over the chosen positions."""

    feature_id: int
    sae_id: str
    max_activation: float | None
    hits: int
    mean_activation: float | None
    argmax_position: int


class TopFeaturesBody(BaseModel):
    """The strongest features."""

    request_id: str
    items: list[TopFeatureBody]


class FeatureDeltaBody(BaseModel):
    """A feature's value at a position, and its change."""

    token_position: int
    token_id: int
    token_str: str
    activation_value: float | None
    baseline_value: float | None
    baseline_position: int | None
    delta: float | None


class FeatureDeltasBody(BaseModel):
    """A feature followed over the positions of a run."""

    request_id: str
    sae_id: str
    feature_id: int
    baseline: str | None
    items: list[FeatureDeltaBody]


class FiringFeature(BaseModel):
    """A feature at a position of a timeline."""

    id: int
    activation: float | None


class TokenBody(BaseModel):
    """One token of the sequence."""

    position: int
    token: int
    token_str: str
    is_special: bool
    segment: Segment
    logprob: float | None


class TimelinePoint(TokenBody):
    """One token with the features that fire on it."""

    top_features: list[FiringFeature]


class TimelineBody(BaseModel):
    """What one SAE saw."""

    sae_id: str
    hook_name: str
    sae_layer: int
    top_k: int
    error: str | None
    l0: list[int]
    feature_timeline: list[TimelinePoint]


class RunDocument(BaseModel):
    """Everything of a run."""

    request_id: str
    status: RunStatus
    created_at: str
    error_message: str | None
    prompt: str
    rendered_prompt: str
    output: OutputBody
    tokens: list[TokenBody]
    run_summary: RunSummaryBody
    request: dict[str, Any]
    provenance: dict[str, Any]
    features: list[TimelineBody]


class ExtractBody(BaseModel):
    """The features of a given token sequence; `feature_timeline` is the first SAE's."""

    status: Literal["ok"]
    feature_timeline: list[TimelinePoint]
    features: list[TimelineBody]


class CheckBody(BaseModel):
    """One thing that was looked at."""

    name: str
    ok: bool
    message: str
    details: dict[str, Any]


class HealthBody(BaseModel):
    """Whether the server can do its work."""

    status: Literal["ok", "degraded"]
    index_db_reachable: bool
    hf_inference_reachable: bool = Field(description="the resident model can be used")
    sae_reachable: bool
    checks: list[CheckBody]
    versions: dict[str, str]
    last_error: str | None
