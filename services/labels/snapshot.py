"""All labels of an SAE at one revision, in memory, and kept up to date by what has changed.

A snapshot never changes. The next one shares all values with it but those of the features that
were written in between, so that after an edit one feature is read, not a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from db.label_records import LabelRecord, MarkedFeature
from services.types.labels import FeatureMarks, Label, LabelSource

_STEPS = 64  # changes between snapshots that are remembered
_NOTHING: dict[str, Any] = {}  # shared, for nobody to write into
_SOURCES = {source.value: source for source in LabelSource}


@dataclass(frozen=True, slots=True)
class Step:
    """What the change from one revision to the next one that was read touched."""

    before: int
    features: frozenset[int]


@dataclass(frozen=True, slots=True)
class LabelSnapshot:
    """The labels of an SAE; features that nobody said anything of are left out.

    The chosen labels in it come without their `extra`, which imported files may have made large.
    """

    sae_id: str
    revision: int = 0
    marks: Mapping[int, FeatureMarks] = field(default_factory=lambda: MappingProxyType({}))
    epoch: str = ""
    steps: tuple[Step, ...] = field(default=(), repr=False)

    def changed_since(self, other: LabelSnapshot) -> frozenset[int] | None:
        """Features that were written after an earlier snapshot; None where that is not known."""
        if (other.sae_id, other.epoch) != (self.sae_id, self.epoch):
            return None
        if other.revision >= self.revision:
            return frozenset() if other.revision == self.revision else None
        later = [step for step in self.steps if step.before >= other.revision]
        if not later or later[0].before != other.revision:
            return None
        return frozenset().union(*(step.features for step in later))

    def text(self, feature_id: int) -> str | None:
        """The chosen label of a feature."""
        marks = self.marks.get(feature_id)
        return marks.label.text if marks is not None and marks.label is not None else None

    def renewed(
        self,
        epoch: str,
        revision: int,
        marked: Sequence[MarkedFeature],
        counts: Mapping[int, int],
    ) -> LabelSnapshot:
        """The snapshot at a later revision; `marked` is what was written in between, or all where
        the epoch is another; `counts` says of which of them there are several labels.
        """
        fresh = _marks(self.sae_id, marked, counts)
        if epoch != self.epoch:
            return LabelSnapshot(self.sae_id, revision, MappingProxyType(fresh), epoch)
        step = Step(self.revision, frozenset(fresh))
        marks = {**self.marks, **fresh}
        steps = (*self.steps[1 - _STEPS :], step)
        return LabelSnapshot(self.sae_id, revision, MappingProxyType(marks), epoch, steps)


def _marks(
    sae_id: str, marked: Sequence[MarkedFeature], counts: Mapping[int, int]
) -> dict[int, FeatureMarks]:
    found = {}
    for row in marked:
        id, starred, reason, label_id, text, category, notes, confidence, source = row[:9]
        label = None
        if label_id is not None:
            said = (text, category, notes, confidence, _SOURCES[source])
            label = Label(label_id, sae_id, id, *said, *row[9:], _NOTHING)
        n_labels = counts.get(id, 1) if label is not None else 0
        found[id] = FeatureMarks(id, label, n_labels, starred, reason)
    return found


def label_of(sae_id: str, record: LabelRecord) -> Label:
    """A stored label as the product shows it."""
    return Label(
        label_id=record.label_id,
        sae_id=sae_id,
        feature_id=record.feature_id,
        text=record.text,
        category=record.category,
        notes=record.notes,
        confidence=record.confidence,
        source=_SOURCES[record.source],
        source_name=record.source_name,
        author=record.author,
        created_at=record.created_at,
        updated_at=record.updated_at,
        extra=record.extra or _NOTHING,
    )
