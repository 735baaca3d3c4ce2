"""The plain values of labels that their repository takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

LABEL_SOURCES = ("human", "automatic", "imported")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRecord:
    """What is marked at a feature."""

    feature_id: int
    is_starred: bool = False
    chosen_label_id: str | None = None
    skip_reason: str | None = None
    skipped_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRecord:
    """A label as its row has it; `document_row` is its place in the file that it came from."""

    label_id: str
    feature_id: int
    text: str
    category: str | None
    notes: str
    confidence: float | None
    source: str
    source_name: str | None
    author: str
    created_at: datetime
    updated_at: datetime
    document_id: str | None = None
    document_row: int | None = None
    extra: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChange:
    """One entry of the history, to be written."""

    batch_id: str
    feature_id: int
    at: datetime
    author: str
    action: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    undoes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecord(NewChange):
    """One entry of the history, as its row has it."""

    change_id: int
    sae_id: str
    undone_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDocument:
    """What an imported file says beside its labels."""

    document_id: str
    format: str
    layout: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFilter:
    """Which changes to list; what is None does not filter."""

    feature_id: int | None = None
    author: str | None = None
    action: str | None = None
    batch_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSae:
    """What labels need to know of their SAE."""

    sae_id: str
    model_id: str
    hook_name: str
    d_sae: int
    neuronpedia_id: str | None
    is_deleted: bool


@dataclass(slots=True, kw_only=True)
class LabelWrites:
    """What one transaction writes; features by whether they have a row yet."""

    new_features: list[FeatureRecord] = field(default_factory=list)
    changed_features: list[FeatureRecord] = field(default_factory=list)
    inserted: list[LabelRecord] = field(default_factory=list)
    updated: list[LabelRecord] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    changes: list[NewChange] = field(default_factory=list)


class MarkedFeature(NamedTuple):
    """A feature with its chosen label, as snapshots are made of; a quick tuple, for there may be
    a hundred thousand. Without a chosen label what is from `label_id` on is None.
    """

    feature_id: int
    is_starred: bool
    skip_reason: str | None
    label_id: str
    text: str
    category: str | None
    notes: str
    confidence: float | None
    source: str
    source_name: str | None
    author: str
    created_at: datetime
    updated_at: datetime
