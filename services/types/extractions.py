"""Extractions: a corpus read with SAEs, every activation kept, as they are listed and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from services.types.jobs import JobPhase, JobStatus

SourceType = Literal["training", "sae"]


@dataclass(frozen=True, slots=True)
class ExtractionLive:
    """How an extraction stands while it runs, from the tokens that are done; then for good."""

    n_tokens: int = 0  # stored, also those that are not counted
    n_counted: int = 0
    n_documents: int = 0
    nnz: int = 0  # activations
    l0: float | None = None  # nnz / n_counted
    l0_edges: tuple[float, ...] = ()
    l0_counts: tuple[int, ...] = ()  # tokens by number of active features
    density_edges: tuple[float, ...] = ()  # log10 of the share of counted tokens
    density_counts: tuple[int, ...] = ()  # features; those that never fired are left out
    n_dead: int | None = None  # features that never fired
    max_activation: float | None = None
    seconds: tuple[float, ...] = ()  # since the start, without pauses
    tokens_at: tuple[int, ...] = ()  # done at each of `seconds`


@dataclass(frozen=True, slots=True)
class ExtractionView:
    """One SAE's extraction over one corpus. Extractions of one job share its forward passes."""

    extraction_id: str  # also the id of its store
    job_id: str | None
    source_type: SourceType
    sae_id: str
    model_id: str
    hook_name: str
    layer: int
    d_sae: int
    corpus_id: str
    corpus_name: str
    config: Mapping[str, Any]  # the options, as they were resolved
    status: JobStatus
    phase: str
    done: int
    total: int | None
    unit: str
    per_s: float | None
    eta_s: float | None
    phases: tuple[JobPhase, ...]
    message: str
    live: ExtractionLive
    has_store: bool  # something can be read
    is_complete: bool  # every statistic is there
    size_bytes: int | None  # of the finished store
    error_code: str | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ExtractionPage:
    """One page of the list of extractions; `next_cursor` is None on the last one."""

    items: tuple[ExtractionView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ExtractionEstimate:
    """What an extraction will take, before it is started; None where it cannot be said."""

    n_tokens: int
    n_documents: int
    seconds: float | None
    memory_bytes: int  # model, SAEs, one batch and what the stores keep in memory
    budget_bytes: int
    disk_bytes: int  # at the end
    peak_disk_bytes: int  # while it merges
    free_disk_bytes: int | None
    per_sae: Mapping[str, Mapping[str, float]]  # sae_id: l0 it is computed with, disk_bytes
    notes: tuple[str, ...]  # what the figures rest on, and what does not fit
