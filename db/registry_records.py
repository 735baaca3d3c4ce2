"""The registry's plain values, as its repository takes and gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SOURCES = ("huggingface", "local", "trained", "catalogue")
VERDICTS = ("good", "suspicious", "broken")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """A model that was seen in a folder of this server."""

    model_id: str
    source: str  # one of SOURCES
    family: str
    n_layers: int
    d_model: int
    n_ctx: int
    n_vocab: int
    dtype: str
    has_chat_template: bool
    local_path: str
    size_bytes: int
    created_at: datetime
    updated_at: datetime
    n_params: int | None = None
    repo_id: str | None = None
    repo_revision: str | None = None
    sha256: str | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaeRecord:
    """An SAE that was seen in a folder of this server."""

    sae_id: str
    source: str  # one of SOURCES
    model_id: str
    trained_on: str
    hook_name: str
    layer: int
    d_in: int
    d_sae: int
    architecture: str
    format: str
    local_path: str
    size_bytes: int
    created_at: datetime
    updated_at: datetime
    repo_id: str | None = None
    repo_revision: str | None = None
    repo_path: str | None = None
    release: str | None = None
    catalogue_id: str | None = None
    neuronpedia_id: str | None = None
    sha256: str | None = None
    published: Mapping[str, Any] = field(default_factory=dict)
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightRecord:
    """What was measured of an SAE together with a model; all values are JSON values."""

    preflight_id: str
    sae_id: str
    model_id: str
    created_at: datetime
    verdict: str  # one of VERDICTS
    sae_revision: str
    model_revision: str
    duration_s: float
    findings: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, Any]
    published: Mapping[str, Any]
    conditions: Mapping[str, Any]
    curves: Mapping[str, Any]
