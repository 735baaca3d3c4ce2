"""What the registry knows, offers, measures and does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.types.models import ModelInfo, SaeInfo, Verdict, page_on_neuronpedia

RUNS_COUNTED = 1000
"""Stored runs of a model or an SAE are counted up to here: the number means "at least" then."""


class Source(StrEnum):
    """Where a model or an SAE came from."""

    HUGGINGFACE = "huggingface"  # a repository of the hub
    CATALOGUE = "catalogue"  # an entry of sae-lens' list of pretrained SAEs
    LOCAL = "local"  # a folder or file of this machine
    TRAINED = "trained"  # made here


class EntryState(StrEnum):
    """Whether a registered model or SAE can be used."""

    READY = "ready"
    MISSING = "missing"  # its folder is gone
    UNUSABLE = "unusable"  # its folder is there and cannot be read: `problem` says why
    DELETED = "deleted"  # taken out of use; its folder is kept, and it can be restored


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a preflight found wrong, and what to do about it."""

    code: str  # see services.sae.preflight
    verdict: Verdict  # suspicious or broken
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """What was measured of a model and an SAE together on a stated text, and what follows."""

    preflight_id: str
    sae_id: str
    model_id: str
    created_at: datetime
    verdict: Verdict
    findings: tuple[Finding, ...]  # worst first; empty when all is good
    metrics: Mapping[str, float | None]  # named in services.sae.preflight
    published: Mapping[str, float]  # the same figures as the publisher states them, where known
    conditions: Mapping[str, Any]  # text and its sha256, tokens, contexts, BOS, dtype, device
    curves: Mapping[str, tuple[float, ...]]  # for the plots
    sae_revision: str
    model_revision: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class SaeCard:
    """All that the registry knows about an SAE."""

    info: SaeInfo
    source: Source
    state: EntryState
    format: str  # the layout it was read from: sae_lens, gemma_scope, llama_scope, ...
    path: str
    size_bytes: int
    added_at: datetime
    problem: str | None = None
    repo_id: str | None = None
    repo_revision: str | None = None  # commit
    repo_path: str | None = None  # folder or file within the repository
    release: str | None = None  # of sae-lens' catalogue
    published: Mapping[str, float] = field(default_factory=dict)
    deleted_at: datetime | None = None
    is_resident: bool = False
    runs: int = 0  # stored runs that used it, counted up to RUNS_COUNTED
    preflight: PreflightReport | None = None  # the newest one with its model
    is_stale: bool = False  # the preflight measured other files than those there now


@dataclass(frozen=True, slots=True)
class ModelCard:
    """All that the registry knows about a model."""

    info: ModelInfo
    source: Source
    state: EntryState
    path: str
    memory_bytes: int  # estimate of what loading it takes, in the dtype it is loaded in
    budget_bytes: int  # what models and SAEs may take together
    added_at: datetime
    problem: str | None = None
    repo_id: str | None = None
    repo_revision: str | None = None
    deleted_at: datetime | None = None
    is_resident: bool = False
    runs: int = 0  # as of an SAE

    @property
    def fits(self) -> bool:
        """Whether it can be loaded at all."""
        return self.memory_bytes <= self.budget_bytes


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that could be added: an SAE found in a folder or repository, or why it cannot."""

    path: str  # folder or file below what was looked at; "" for itself
    format: str  # "" when `problem` is set
    size_bytes: int
    model_name: str = ""  # the model it was trained on, where it says so
    hook_name: str = ""
    architecture: str = ""
    d_in: int | None = None
    d_sae: int | None = None
    needs: tuple[str, ...] = ()  # what it does not say and the user must: model_id, hook_name
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """An SAE of sae-lens' list of pretrained SAEs; None where the list does not say."""

    release: str
    sae_id: str
    repo_id: str
    path: str  # within the repository
    model: str
    hook: str  # as far as names tell: resid_post, mlp_out, ...
    layer: int | None
    width: int | None
    l0: float | None
    explained_variance: float | None
    neuronpedia_id: str | None
    loader: str  # sae-lens' name of the layout
    problem: str | None = None  # why it cannot be added here

    def neuronpedia_url(self) -> str | None:
        """Its page on Neuronpedia; None where it is not known to be there."""
        return page_on_neuronpedia(self.neuronpedia_id)


@dataclass(frozen=True, slots=True)
class CataloguePage:
    """Entries that match a search, best first, and how many there are in all."""

    items: tuple[CatalogueEntry, ...]
    total: int
    suggestion: str | None = None  # a search that finds something, where this one finds nothing


class TaskStatus(StrEnum):
    """Where a task stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (TaskStatus.QUEUED, TaskStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class TaskView:
    """Something the registry does that takes a while: adding, measuring."""

    task_id: str
    kind: str  # add_model | add_saes | preflight
    title: str
    status: TaskStatus
    phase: str  # waiting | downloading | verifying | converting | loading | measuring | done
    done: int  # of `total`, in `unit`, within the phase
    total: int | None
    unit: str  # bytes | tokens | ""
    per_s: float | None
    created_at: datetime
    finished_at: datetime | None = None
    results: tuple[str, ...] = ()  # ids of the models or SAEs that are registered now
    problems: tuple[str, ...] = ()  # what could not be added, and why
    error_code: str | None = None
    error_message: str | None = None
