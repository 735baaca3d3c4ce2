"""What REST answers about extractions, as the OpenAPI document says it.

The answers themselves are built by `services.extraction.mapping`; the tests hold every answer
against its model.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from services.extraction.requests import ExtractionId
from services.types import JobStatus
from services.web.job_schemas import JobPhaseBody


class ExtractionPath(BaseModel):
    """An extraction's address."""

    extraction_id: ExtractionId


class LiveBody(BaseModel):
    """How an extraction stands while it runs; then for good."""

    n_tokens: int = Field(description="stored, also those that are not counted")
    n_counted: int
    n_documents: int
    nnz: int = Field(description="activations")
    l0: float | None = Field(description="activations per counted token")
    l0_edges: list[float]
    l0_counts: list[int] = Field(description="tokens by number of active features")
    density_edges: list[float] = Field(description="log10 of the share of counted tokens")
    density_counts: list[int] = Field(description="features; dead ones are left out")
    n_dead: int | None = Field(description="features that never fired")
    max_activation: float | None
    seconds: list[float] = Field(description="since the start, without pauses")
    tokens_at: list[int] = Field(description="done at each of `seconds`")


class ExtractionBody(BaseModel):
    """One SAE's extraction over one corpus."""

    extraction_id: str = Field(description="also the id of its store")
    job_id: str | None = Field(description="shared by the extractions of one start")
    source_type: Literal["training", "sae"]
    sae_id: str
    model_id: str
    hook_name: str
    layer: int
    d_sae: int
    corpus_id: str
    corpus_name: str
    config: dict[str, Any] = Field(description="the options, as they were resolved")
    status: JobStatus
    phase: str
    done: int = Field(description="of `total`, in `unit`, within the phase")
    total: int | None
    unit: str
    per_s: float | None
    eta_s: float | None
    phases: list[JobPhaseBody]
    message: str
    live: LiveBody
    has_store: bool = Field(description="something can be read")
    is_complete: bool = Field(description="every statistic is there")
    size_bytes: int | None
    error_code: str | None
    error_message: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None


class StartedBody(BaseModel):
    """The extractions of one job, in the order of the SAEs."""

    job_id: str | None
    items: list[ExtractionBody]


class ExtractionsBody(BaseModel):
    """Extractions, newest first."""

    items: list[ExtractionBody]
    next_cursor: str | None = Field(description="null on the last page")


class PerSaeBody(BaseModel):
    """What the estimate takes for one SAE."""

    l0: float
    disk_bytes: float


class EstimateBody(BaseModel):
    """What an extraction will take; null where it cannot be said."""

    n_tokens: int
    n_documents: int
    seconds: float | None
    memory_bytes: int
    budget_bytes: int
    disk_bytes: int = Field(description="at the end")
    peak_disk_bytes: int = Field(description="while it merges")
    free_disk_bytes: int | None
    per_sae: dict[str, PerSaeBody]
    notes: list[str] = Field(description="what the figures rest on, and what does not fit")
