"""The values that cross from services to pages and components.

Frozen, and without database rows, tensors or Dash objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
class ModelInfo:
    """A model that a run may use."""

    model_id: str
    n_layers: int
    d_model: int
    n_ctx: int
    n_vocab: int
    n_params: int | None
    has_chat_template: bool
    revision: str  # what identifies the weights: hub commit or sha256 of the weight files
    saes: tuple[SaeInfo, ...] = ()
    family: str = ""  # transformers' model_type: llama, gemma2, gpt2, ...
    dtype: str = ""  # of most of its weights on disk, in safetensors' words: F32, BF16, ...
    size_bytes: int = 0  # of its weight files


class Verdict(StrEnum):
    """What a preflight says about a model and an SAE together."""

    GOOD = "good"
    SUSPICIOUS = "suspicious"  # usable, but something is not as it should be
    BROKEN = "broken"  # its numbers mean nothing


def _neuronpedia_url(neuronpedia_id: str | None) -> str | None:
    return f"https://neuronpedia.org/{neuronpedia_id}" if neuronpedia_id else None


@dataclass(frozen=True, slots=True)
class SaeInfo:
    """An SAE and the model it is registered for."""

    sae_id: str
    model_id: str  # of this server; where there is none, what `trained_on` says
    hook_name: str
    layer: int
    d_in: int
    d_sae: int
    architecture: str
    revision: str  # sha256 of the weight file
    neuronpedia_id: str | None = None  # as "gpt2-small/6-res-jb"
    trained_on: str = ""  # the model's name as the SAE's publisher gives it
    verdict: Verdict | None = None  # of the newest preflight; None where there is none

    def neuronpedia_url(self, feature_id: int | None = None) -> str | None:
        """Its page, or a feature's, on Neuronpedia; None where the SAE is not known to be there."""
        url = _neuronpedia_url(self.neuronpedia_id)
        return url if feature_id is None or url is None else f"{url}/{feature_id}"


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


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the health page."""

    name: str  # database | model | sae:<id> | device | memory | queue | disk
    ok: bool
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the product can do its work now."""

    status: str  # ok | degraded
    checks: tuple[Check, ...]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Download:
    """A file for the user: bytes, a name that says the run, a media type."""

    filename: str
    media_type: str
    content: bytes


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
        return _neuronpedia_url(self.neuronpedia_id)


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


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # waits for a worker, the first time or again
    RUNNING = "running"  # a worker holds its lease
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # with a reason; a retry goes on from what is kept
    CANCELLED = "cancelled"  # stopped by a user; what was done is kept

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen unless a user asks for it."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class JobPhase:
    """A part of a job's work, as far as it is done."""

    name: str
    done: int  # of `total`, in `unit`
    total: int | None
    unit: str
    seconds: float  # that were spent on it


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it stands."""

    job_id: str  # sorts by the time of its making
    kind: str
    title: str
    status: JobStatus
    params: Mapping[str, Any]
    priority: int  # higher ones go first
    request_key: str | None
    parent_id: str | None
    attempt: int  # how often a worker took it
    crashes: int  # how many of these ended without a word, since it was last queued by a user
    max_attempts: int  # so many crashes, and it fails
    phase: str  # of the kind's own naming; "" before the first
    done: int  # of `total`, in `unit`, within the phase
    total: int | None
    unit: str
    message: str
    per_s: float | None  # over the last seconds; only while it runs
    eta_s: float | None  # of the phase, at that rate
    phases: tuple[JobPhase, ...]  # in their order; the last one is the current one
    result: Mapping[str, Any] | None  # what it made, once it succeeded
    is_resumable: bool  # there is a checkpoint to go on from
    is_cancelling: bool  # it runs, and was asked to stop
    owner: str | None  # the process that works on it
    error_code: str | None
    error_message: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobLogLine:
    """Something that happened to a job."""

    line: int  # from 1; only the last ones are kept
    at: datetime
    attempt: int
    level: str  # info | warning | error
    message: str


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of the list of jobs; `next_cursor` is None on the last one."""

    items: tuple[JobView, ...]
    next_cursor: str | None
