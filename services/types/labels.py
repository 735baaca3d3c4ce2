"""Labels of features: what people and models say that a feature is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class LabelSource(StrEnum):
    """Where a label comes from."""

    HUMAN = "human"
    AUTOMATIC = "automatic"  # a model wrote it; `source_name` says which
    IMPORTED = "imported"  # `source_name` says from what


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a feature; several may stand beside each other."""

    label_id: str
    sae_id: str
    feature_id: int
    text: str
    category: str | None
    notes: str  # Markdown
    confidence: float | None  # 0 to 1
    source: LabelSource
    source_name: str | None  # the model, or what was imported
    author: str
    created_at: datetime
    updated_at: datetime
    extra: Mapping[str, Any]  # fields of an imported format that have no place here


@dataclass(frozen=True, slots=True)
class FeatureMarks:
    """What the table shows of a feature's labels."""

    feature_id: int
    label: Label | None = None  # the chosen one
    n_labels: int = 0
    is_starred: bool = False
    skipped: str | None = None  # why nobody should label it now


@dataclass(frozen=True, slots=True)
class LabelChange:
    """One entry of a feature's history."""

    change_id: int
    batch_id: str  # changes made together, which are undone together
    sae_id: str
    feature_id: int
    at: datetime
    author: str
    action: str  # add | edit | remove | choose | star | unstar | skip | unskip | import | undo
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    is_undone: bool


@dataclass(frozen=True, slots=True)
class FeatureLabels:
    """All labels of a feature, the chosen one first, and what was done to them, newest first."""

    marks: FeatureMarks
    labels: tuple[Label, ...]
    history: tuple[LabelChange, ...]


@dataclass(frozen=True, slots=True)
class BulkReport:
    """What was changed together."""

    batch_id: str | None  # undoes it; None when nothing was changed
    n: int  # features


@dataclass(frozen=True, slots=True)
class ChangePage:
    """One page of the history of an SAE's labels, newest first."""

    items: tuple[LabelChange, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class LabelStatus:
    """How far the labelling of an SAE is."""

    sae_id: str
    n_features: int
    n_live: int | None  # None without a store
    n_labelled: int
    n_starred: int
    n_skipped: int
    n_disagreeing: int  # features whose labels differ
    by_source: Mapping[str, int]
    by_category: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """A line of an import that was left out."""

    place: str  # "line 17", "features[3]"
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, or, when it was only looked at, would do."""

    format: str  # csv | json | neuronpedia | saelens | splatnlp
    sae_id: str
    n_labels: int  # that were read
    n_added: int
    n_known: int  # there already, word for word
    n_skipped: int
    problems: tuple[ImportProblem, ...]  # the first of the skipped ones
    batch_id: str | None  # undoes the whole import; None when it was only looked at


@dataclass(frozen=True, slots=True)
class QueueItem:
    """The feature to label next, and why this one."""

    sae_id: str
    feature_id: int
    reason: str
    n_left: int
    marks: FeatureMarks


@dataclass(frozen=True, slots=True)
class SavedView:
    """A kept selection of the table of features."""

    view_id: str
    sae_id: str
    name: str
    state: Mapping[str, Any]
    author: str
    created_at: datetime
