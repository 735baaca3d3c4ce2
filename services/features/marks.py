"""What people say of an SAE's features, as columns: kept up to date feature by feature."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.features.searching import lowered
from services.types.labels import FeatureMarks

if TYPE_CHECKING:
    from services.labels.snapshot import LabelSnapshot

TextName = Literal["label", "notes", "category", "source", "skipped"]
_TEXTS: tuple[TextName, ...] = ("label", "notes", "category", "source", "skipped")
_SORTED_BY = 100  # characters of a text, without case


class TextColumn:
    """One text of each feature; null where there is none."""

    def __init__(self, texts: list[str | None]) -> None:
        self.texts = pa.array(texts, pa.large_string())

    @cached_property
    def lowered(self) -> pa.Array:
        """To be searched."""
        return lowered(self.texts)

    @cached_property
    def sorted_by(self) -> pa.Array:
        """The first characters of each text, without case."""
        return pc.utf8_lower(pc.utf8_slice_codeunits(self.texts, 0, _SORTED_BY))

    @cached_property
    def ranks(self) -> np.ndarray:
        """Numbers that sort as the texts do by their bytes, NaN where there is none."""
        ranks = pc.rank(self.sorted_by, sort_keys="ascending", tiebreaker="dense")
        found = ranks.to_numpy().astype(np.float64)
        found[~self.there] = np.nan
        return found

    @cached_property
    def there(self) -> np.ndarray:
        """Which features have a text."""
        return np.asarray(self.texts.is_valid())

    def equal(self, value: str) -> np.ndarray:
        """Which features have exactly this text."""
        return np.asarray(pc.fill_null(pc.equal(self.texts, value), False))


class MarkColumns:
    """The marks of all features at one revision. Arrays are by feature."""

    def __init__(self, marks: Mapping[int, FeatureMarks], n: int) -> None:
        self.marks = marks
        self.texts: dict[TextName, TextColumn] = {}
        self.numbers = {
            "confidence": np.full(n, np.nan),
            "n_labels": np.zeros(n),
            "starred": np.zeros(n),
        }

    def of(self, feature_id: int) -> FeatureMarks:
        """One feature's marks."""
        return self.marks.get(feature_id) or FeatureMarks(feature_id)


class MarksOf:
    """The columns of one SAE, as of its newest snapshot."""

    def __init__(self, n_features: int, newest: Callable[[], LabelSnapshot]) -> None:
        self._n, self._newest = n_features, newest
        self._lock = threading.Lock()
        self._snapshot: LabelSnapshot | None = None
        self._lists: dict[TextName, list[str | None]] = {name: [None] * self._n for name in _TEXTS}
        self._columns = MarkColumns({}, n_features)

    def columns(self) -> MarkColumns:
        """As of now."""
        with self._lock:  # a later snapshot must not be overtaken by an earlier one
            snapshot = self._newest()
            if snapshot is not self._snapshot:
                self._columns = self._updated(snapshot)
                self._snapshot = snapshot
            return self._columns

    def _updated(self, snapshot: LabelSnapshot) -> MarkColumns:
        """New columns, of which those that nothing was changed in are the ones before."""
        before, after = self._columns, MarkColumns(snapshot.marks, self._n)
        for name, numbers in before.numbers.items():
            after.numbers[name] = numbers.copy()
        touched = set(_TEXTS) - set(before.texts)
        for feature in self._changed(snapshot):
            if 0 <= feature < self._n:  # labels may be left from a larger SAE of this id
                touched |= self._set(feature, after)
        after.texts = {
            name: TextColumn(self._lists[name]) if name in touched else before.texts[name]
            for name in _TEXTS
        }
        return after

    def _changed(self, snapshot: LabelSnapshot) -> Iterable[int]:
        known = self._snapshot
        changed = None if known is None else snapshot.changed_since(known)
        if changed is None:  # everything that was said before or is said now
            return {*snapshot.marks, *(known.marks if known is not None else ())}
        return changed

    def _set(self, i: int, columns: MarkColumns) -> set[TextName]:
        """Take over what is said of one feature; the texts that are others now."""
        marks = columns.of(i)
        label, numbers = marks.label, columns.numbers
        confidence = None if label is None else label.confidence
        numbers["confidence"][i] = np.nan if confidence is None else confidence
        numbers["n_labels"][i], numbers["starred"][i] = marks.n_labels, marks.is_starred
        said: dict[TextName, str | None] = {"skipped": marks.skipped}
        if label is None:
            said |= dict.fromkeys(_TEXTS[:4])
        else:
            said |= {"label": label.text, "notes": label.notes or None}
            said |= {"category": label.category, "source": label.source.value}
        touched = {name for name, text in said.items() if self._lists[name][i] != text}
        for name in touched:
            self._lists[name][i] = said[name]
        return touched
