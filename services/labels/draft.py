"""The labels of some features within one writing transaction, and what is done to them.

Everything that changes labels goes through here, one label or a hundred thousand: the draft keeps
the rules (the first label is chosen by itself, the next one when the chosen one goes) and writes
the history as it goes along. Nothing touches the database before `writes` is saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from db.label_records import FeatureRecord, LabelRecord, LabelWrites, NewChange
from services.jobs.ids import new_id

_BRIEF = ("label_id", "text", "category", "confidence", "source", "source_name")
_FULL = tuple(field.name for field in fields(LabelRecord) if field.name != "feature_id")
_TIMES = ("created_at", "updated_at")

Values = Mapping[str, Any]


class Draft:
    """Labels by feature; each method does one thing and notes it in the history."""

    def __init__(
        self,
        features: Mapping[int, FeatureRecord],
        labels: Iterable[LabelRecord],
        author: str,
        at: datetime,
    ) -> None:
        self.batch_id = new_id()
        self.author, self.at = author, at
        self._known = features.keys()
        self._features = dict(features)
        self._labels: dict[int, dict[str, LabelRecord]] = {}
        self._stored: dict[str, LabelRecord] = {}
        for label in labels:
            self._labels.setdefault(label.feature_id, {})[label.label_id] = label
            self._stored[label.label_id] = label
        self._touched: set[str] = set()
        self._marked: dict[int, None] = {}  # features to be written, in order
        self._changes: list[NewChange] = []
        self._undoes: int | None = None

    # What is there

    def feature(self, feature_id: int) -> FeatureRecord:
        """The marks of a feature."""
        return self._features.get(feature_id) or FeatureRecord(feature_id=feature_id)

    def labels(self, feature_id: int) -> Mapping[str, LabelRecord]:
        """The labels of a feature by id, in the order in which they came."""
        return self._labels.get(feature_id, {})

    def chosen(self, feature_id: int) -> LabelRecord | None:
        """The chosen label."""
        return self.labels(feature_id).get(self.feature(feature_id).chosen_label_id or "")

    @property
    def n_features(self) -> int:
        """How many have been changed so far."""
        return len({change.feature_id for change in self._changes})

    # What is done

    def add(self, label: LabelRecord, choose: bool = False, action: str = "add") -> None:
        """One more label; the first one is chosen by itself."""
        was = self.feature(label.feature_id).chosen_label_id
        chosen = choose or self.chosen(label.feature_id) is None
        self._place(label)
        self._mark(label.feature_id, **({"chosen_label_id": label.label_id} if chosen else {}))
        after = {name: getattr(label, name) for name in _BRIEF}
        after |= {"updated_at": label.updated_at.isoformat(), "is_chosen": chosen}
        if chosen and was:
            after["instead_of"] = was
        self._note(label.feature_id, action, None, after)

    def edit(self, label: LabelRecord, values: Values, updated_at: datetime | None = None) -> None:
        """Other values for a label; nothing when it has them already."""
        new = {name: value for name, value in values.items() if getattr(label, name) != value}
        if not new:
            return
        edited = replace(label, updated_at=updated_at or self.at, **new)
        self._place(edited)
        self._mark(label.feature_id)
        names = ("label_id", *new, "updated_at")
        before, after = (_plain(x, names) for x in (label, edited))
        self._note(label.feature_id, "edit", before, after)

    def remove(self, label: LabelRecord) -> None:
        """A label goes; when it was the chosen one, the first that is left is chosen."""
        was_chosen = self.feature(label.feature_id).chosen_label_id == label.label_id
        del self._labels[label.feature_id][label.label_id]
        self._touched.add(label.label_id)
        before = _plain(label, _FULL) | {"is_chosen": was_chosen}
        after = None
        if was_chosen:
            first = next(iter(self.labels(label.feature_id)), None)
            after = {"chosen_label_id": first} if first else None
            self._mark(label.feature_id, chosen_label_id=first)
        else:
            self._mark(label.feature_id)
        self._note(label.feature_id, "remove", before, after)

    def choose(self, label: LabelRecord) -> None:
        """This label is the one that is shown."""
        self._set(label.feature_id, "choose", {"chosen_label_id": label.label_id})

    def star(self, feature_id: int, on: bool) -> None:
        """Star a feature, or take the star away."""
        self._set(feature_id, "star" if on else "unstar", {"is_starred": on})

    def skip(self, feature_id: int, reason: str | None) -> None:
        """Leave a feature out of the queue, or (None) put it back."""
        by = None if reason is None else self.author
        if reason == self.feature(feature_id).skip_reason:
            return
        marks = {"skip_reason": reason, "skipped_by": by}
        self._set(feature_id, "unskip" if reason is None else "skip", marks)

    def restore(self, label: LabelRecord, chosen: bool) -> None:
        """A removed label comes back to its place."""
        self.add(label, choose=chosen)

    def mark(self, feature_id: int, action: str, values: Values) -> None:
        """Set marks as they were."""
        self._set(feature_id, action, values)

    def undoing(self, change_id: int | None) -> None:
        """What follows takes back this change, and is noted so."""
        self._undoes = change_id

    def writes(self) -> LabelWrites:
        """All that has to be written."""
        made = LabelWrites(changes=self._changes)
        for feature_id in self._marked:
            target = made.changed_features if feature_id in self._known else made.new_features
            target.append(self.feature(feature_id))
        now = {id: label for some in self._labels.values() for id, label in some.items()}
        for label_id in sorted(self._touched):
            label, before = now.get(label_id), self._stored.get(label_id)
            if label is None:
                made.deleted += [label_id] if before else []
            else:
                (made.updated if before else made.inserted).append(label)
        return made

    def _place(self, label: LabelRecord) -> None:
        mine = self._labels.setdefault(label.feature_id, {})
        is_last = label.label_id in mine or not mine or label.label_id > next(reversed(mine))
        mine[label.label_id] = label
        self._touched.add(label.label_id)
        if not is_last:  # it comes back from before: ids are in the order of their making
            self._labels[label.feature_id] = dict(sorted(mine.items()))

    def _set(self, feature_id: int, action: str, values: Values) -> None:
        feature = self.feature(feature_id)
        before = {name: getattr(feature, name) for name in values}
        if before != dict(values):
            self._mark(feature_id, **values)
            self._note(feature_id, action, before, dict(values))

    def _mark(self, feature_id: int, **values: Any) -> None:
        if values or feature_id not in self._features:
            self._features[feature_id] = replace(self.feature(feature_id), **values)
        self._marked[feature_id] = None

    def _note(self, feature_id: int, action: str, before: Values | None, after: Any) -> None:
        change = NewChange(
            batch_id=self.batch_id,
            feature_id=feature_id,
            at=self.at,
            author=self.author,
            action=action if self._undoes is None else "undo",
            before=before,
            after=after,
            undoes=self._undoes,
        )
        self._changes.append(change)


def _plain(label: LabelRecord, names: Iterable[str]) -> dict[str, Any]:
    values = {name: getattr(label, name) for name in names}
    for name in _TIMES:
        if name in values:
            values[name] = values[name].isoformat()
    if values.get("extra") is not None:
        values["extra"] = dict(values["extra"])
    return values


def label_of(feature_id: int, values: Values) -> LabelRecord:
    """The label that `remove` noted."""
    fields_of_it = {name: values[name] for name in _FULL}
    for name in _TIMES:
        fields_of_it[name] = datetime.fromisoformat(values[name])
    return LabelRecord(feature_id=feature_id, **fields_of_it)
