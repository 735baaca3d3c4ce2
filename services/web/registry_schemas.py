"""What REST answers about models and SAEs, as the OpenAPI document says it.

The answers themselves are built by `services.registry.documents`; the tests hold every answer
against its model.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from services.types import EntryState, Source, TaskStatus, Verdict


class SaeBody(BaseModel):
    """An SAE and the model it is registered for."""

    sae_id: str
    model_id: str
    hook_name: str
    layer: int
    d_in: int
    d_sae: int
    architecture: str
    revision: str
    neuronpedia_id: str | None
    neuronpedia_url: str | None
    trained_on: str = Field(description="the model as the SAE's publisher names it")
    verdict: Verdict | None = Field(description="of the newest preflight of these files")


class FindingBody(BaseModel):
    """One thing that a preflight found wrong, and what to do about it."""

    code: str
    verdict: Verdict
    message: str
    remedy: str


class PreflightBody(BaseModel):
    """What was measured of a model and an SAE together."""

    preflight_id: str
    sae_id: str
    model_id: str
    created_at: str
    verdict: Verdict
    findings: list[FindingBody] = Field(description="worst first; empty when all is good")
    metrics: dict[str, float | None]
    published: dict[str, float] = Field(description="the same figures as the publisher gives them")
    conditions: dict[str, Any] = Field(description="text and its sha256, tokens, dtype, device, …")
    curves: dict[str, list[float | None]]
    sae_revision: str
    model_revision: str
    duration_s: float


class _EntryBody(BaseModel):
    """What models and SAEs have in common."""

    source: Source
    state: EntryState = Field(description="only what is ready can be used by a run")
    problem: str | None
    path: str
    added_at: str
    deleted_at: str | None
    repo_id: str | None
    repo_revision: str | None = Field(description="commit")
    is_resident: bool = Field(description="in memory now")
    runs: int = Field(description="stored runs that used it")


class SaeCardBody(SaeBody, _EntryBody):
    """All that is known about an SAE."""

    format: str = Field(description="the layout that it was read from")
    size_bytes: int
    repo_path: str | None
    release: str | None = Field(description="of sae-lens' catalogue")
    published: dict[str, float]
    preflight: PreflightBody | None = Field(description="the newest one")
    is_stale: bool = Field(description="the preflight measured other files than those there now")


class ModelBody(_EntryBody):
    """A model with its SAEs."""

    model_id: str
    n_layers: int
    d_model: int
    n_ctx: int
    n_vocab: int
    n_params: int | None
    has_chat_template: bool
    revision: str
    family: str
    dtype: str = Field(description="of most of its weights on disk")
    size_bytes: int
    saes: list[SaeBody]
    memory_bytes: int = Field(description="estimate of what loading it takes")
    budget_bytes: int = Field(description="what models and SAEs may take together")
    fits: bool


class ModelsBody(BaseModel):
    """The models of this server with their SAEs, the default one first."""

    items: list[ModelBody]


class SaesBody(BaseModel):
    """SAEs by model, layer and id."""

    items: list[SaeCardBody]


class PreflightsBody(BaseModel):
    """Preflights of one SAE, newest first."""

    items: list[PreflightBody]


class CandidateBody(BaseModel):
    """Something that could be added, or why it cannot."""

    path: str
    format: str
    size_bytes: int
    model_name: str
    hook_name: str
    architecture: str
    d_in: int | None
    d_sae: int | None
    needs: list[str] = Field(description="what it does not say: model_id, hook_name")
    problem: str | None


class CandidatesBody(BaseModel):
    """What was found in a folder or repository."""

    items: list[CandidateBody]


class CatalogueEntryBody(BaseModel):
    """An SAE of sae-lens' list of pretrained SAEs; null where the list does not say."""

    release: str
    sae_id: str
    repo_id: str
    path: str
    model: str
    hook: str
    layer: int | None
    width: int | None
    l0: float | None
    explained_variance: float | None
    neuronpedia_id: str | None
    neuronpedia_url: str | None
    loader: str
    problem: str | None = Field(description="why it cannot be added here")


class CatalogueBody(BaseModel):
    """Entries that match, best first."""

    items: list[CatalogueEntryBody]
    total: int
    suggestion: str | None = Field(description="another search, where this one finds nothing")


class TaskBody(BaseModel):
    """Something that takes a while, as it stands."""

    task_id: str
    kind: str = Field(description="add_model | add_saes | preflight | load_model")
    title: str
    status: TaskStatus
    phase: str
    done: int = Field(description="of `total`, in `unit`, within the phase")
    total: int | None
    unit: str
    per_s: float | None
    created_at: str
    finished_at: str | None
    results: list[str] = Field(description="ids that are registered, or were measured or loaded")
    problems: list[str] = Field(description="what could not be done, and why")
    error_code: str | None
    error_message: str | None


class TasksBody(BaseModel):
    """The tasks that are remembered, newest first."""

    items: list[TaskBody]
