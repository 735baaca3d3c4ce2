"""What people say of an SAE's features, as columns: kept up to date feature by feature."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.types.labels import FeatureMarks

if TYPE_CHECKING:
    from services.labels.snapshot import LabelSnapshot


class MarkColumns:
    """The marks of all features at one revision. Arrays are by feature; null is unsaid."""

    def __init__(self, snapshot: LabelSnapshot, lists: _Lists) -> None:
        self.marks = snapshot.marks
        self.label = pa.array(lists.label, pa.large_string())
        self.notes = pa.array(lists.notes, pa.large_string())
        self.category = pa.array(lists.category, pa.string())
        self.source = pa.array(lists.source, pa.string())
        self.skipped = pa.array(lists.skipped, pa.string())
        self.confidence = lists.confidence.copy()
        self.n_labels = lists.n_labels.copy()
        self.starred = lists.starred.copy()

    @cached_property
    def lower_label(self) -> pa.Array:
        """Labels without case."""
        return pc.utf8_lower(self.label)

    @cached_property
    def lower_notes(self) -> pa.Array:
        """Notes without case."""
        return pc.utf8_lower(self.notes)

    def of(self, feature_id: int) -> FeatureMarks:
        """One feature's marks."""
        return self.marks.get(feature_id) or FeatureMarks(feature_id)


class MarksOf:
    """The columns of one SAE, made from its newest snapshot."""

    def __init__(self, n_features: int, newest: Callable[[], LabelSnapshot]) -> None:
        self._lists, self._newest = _Lists(n_features), newest
        self._lock = threading.Lock()
        self._snapshot: LabelSnapshot | None = None
        self._columns: MarkColumns | None = None

    def columns(self) -> MarkColumns:
        """As of now."""
        with self._lock:  # a later snapshot must not be overtaken by an earlier one
            snapshot = self._newest()
            if self._columns is None or snapshot is not self._snapshot:
                self._lists.update(snapshot.marks, self._changed(snapshot))
                self._snapshot, self._columns = snapshot, MarkColumns(snapshot, self._lists)
            return self._columns

    def _changed(self, snapshot: LabelSnapshot) -> Iterable[int]:
        known = self._snapshot
        changed = None if known is None else snapshot.changed_since(known)
        if changed is None:  # everything that was said before or is said now
            return {*snapshot.marks, *(known.marks if known is not None else ())}
        return changed


class _Lists:
    """The columns as they are changed."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.label: list[str | None] = [None] * n
        self.notes: list[str | None] = [None] * n
        self.category: list[str | None] = [None] * n
        self.source: list[str | None] = [None] * n
        self.skipped: list[str | None] = [None] * n
        self.confidence = np.full(n, np.nan)
        self.n_labels = np.zeros(n)
        self.starred = np.zeros(n, bool)

    def update(self, marks: Mapping[int, FeatureMarks], changed: Iterable[int]) -> None:
        """Take over what is said of the changed features."""
        for feature in changed:
            if 0 <= feature < self.n:  # labels may be left from a larger SAE of this id
                self._set(feature, marks.get(feature) or FeatureMarks(feature))

    def _set(self, i: int, marks: FeatureMarks) -> None:
        self.skipped[i] = marks.skipped
        self.n_labels[i] = marks.n_labels
        self.starred[i] = marks.is_starred
        self.label[i] = self.notes[i] = self.category[i] = self.source[i] = None
        self.confidence[i] = np.nan
        if (label := marks.label) is not None:
            self.label[i], self.notes[i] = label.text, label.notes
            self.category[i], self.source[i] = label.category, label.source.value
            if label.confidence is not None:
                self.confidence[i] = label.confidence
