"""Changing labels: one, marks, many at once, and taking it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from db.label_records import LabelRecord
from services.errors import InvalidArgument, NotFound
from services.labels import editing
from services.labels.draft import Draft
from services.labels.requests import AddLabel, BulkEdit, EditLabel
from services.labels.snapshot import label_of
from services.labels.store import LabelStore
from services.runs.queries import MAX_AUTHOR
from services.sae.feature_ids import require_feature
from services.text import storable
from services.types.labels import BulkReport, Label

Value = TypeVar("Value")


class Writing:
    """What is done to labels; `services.labels.service.Labels` says what every method raises."""

    def __init__(self, store: LabelStore, author: str) -> None:
        self._store = store
        self._author = author  # of what is said without one

    # One label

    def add(self, request: AddLabel) -> Label:
        """One more label of a feature; the first one is chosen by itself."""
        feature_id = self._require(request.sae_id, request.feature_id)

        def work(draft: Draft) -> LabelRecord:
            return editing.add(draft, feature_id, request)

        label = self._write(request.sae_id, feature_id, request.author, work)
        return label_of(request.sae_id, label)

    def edit(self, request: EditLabel) -> Label:
        """Change a label.

        Raises:
            NotFound: there is none.
            Conflict: it was changed after `if_updated_at`.
        """

        def work(draft: Draft, label: LabelRecord) -> LabelRecord:
            editing.edit(draft, label, request)
            return draft.labels(label.feature_id)[label.label_id]

        return self._change(request.label_id, request.author, work)

    def remove(self, label_id: str, author: str | None = None) -> None:
        """Take a label away; the next one of its feature is chosen if it was.

        Raises:
            NotFound: there is none.
        """

        def work(draft: Draft, label: LabelRecord) -> LabelRecord:
            draft.remove(label)
            return label

        self._change(label_id, author, work)

    def choose(self, label_id: str, author: str | None = None) -> Label:
        """Show this label of its feature.

        Raises:
            NotFound: there is none.
        """

        def work(draft: Draft, label: LabelRecord) -> LabelRecord:
            draft.choose(label)
            return label

        return self._change(label_id, author, work)

    # Marks

    def star(self, sae_id: str, feature_id: int, on: bool, author: str | None = None) -> None:
        """Star a feature, or take its star away."""
        feature_id = self._require(sae_id, feature_id)
        self._write(sae_id, feature_id, author, lambda draft: draft.star(feature_id, on))

    def skip(self, sae_id: str, feature_id: int, reason: str, author: str | None = None) -> None:
        """Leave a feature out of the queue."""
        change = BulkEdit.parse(
            {"sae_id": sae_id, "feature_ids": [feature_id], "skip": reason, "author": author}
        )
        self.bulk(change)

    def unskip(self, sae_id: str, feature_id: int, author: str | None = None) -> None:
        """Put a feature back into the queue."""
        feature_id = self._require(sae_id, feature_id)
        self._write(sae_id, feature_id, author, lambda draft: draft.skip(feature_id, None))

    # Many

    def bulk(self, request: BulkEdit) -> BulkReport:
        """The same for many features, undone as one."""
        sae = self._store.sae(request.sae_id)
        editing.in_range(request.feature_ids, sae.d_sae, sae.sae_id)
        ids = frozenset(request.feature_ids)
        author = self._named(request.author)

        def work(draft: Draft) -> None:
            editing.bulk(draft, request.feature_ids, request)

        _, draft = self._store.write(sae.sae_id, ids, author, work)
        return _report(draft)

    def undo(
        self,
        batch_id: str | None = None,
        *,
        change_id: int | None = None,
        author: str | None = None,
        sae_id: str | None = None,
    ) -> BulkReport:
        """Take back a change, or all that were made together; this can be undone, too.

        Raises:
            NotFound: the history has no such change, or not that of `sae_id`.
            Conflict: it was taken back already, or something was changed since; nothing is done.
        """
        if (batch_id is None) == (change_id is None):
            raise InvalidArgument("give either batch_id or change_id")
        found = self._store.change(change_id, batch_id)
        if sae_id not in (None, found.sae_id):
            raise NotFound(f"the history of {sae_id} has no such change", sae_id=sae_id)
        return _report(self._store.undo(found, batch_id is not None, self._named(author)))

    def _require(self, sae_id: str, feature_id: int) -> int:
        sae = self._store.sae(sae_id)
        require_feature(sae_id, feature_id, sae.d_sae)
        return int(feature_id)

    def _named(self, author: str | None) -> str:
        """Who says so."""
        name = storable(author or "").strip()[:MAX_AUTHOR]
        return name or self._author

    def _write(
        self, sae_id: str, feature_id: int, author: str | None, work: Callable[[Draft], Value]
    ) -> Value:
        value, _ = self._store.write(sae_id, [feature_id], self._named(author), work)
        return value

    def _change(
        self, label_id: str, author: str | None, work: Callable[[Draft, LabelRecord], LabelRecord]
    ) -> Label:
        sae_id, feature_id = self._store.feature_of(label_id)

        def on_it(draft: Draft) -> LabelRecord:
            label = draft.labels(feature_id).get(label_id)
            if label is None:
                raise NotFound(f"there is no label {label_id[:64]!r}: it was removed")
            return work(draft, label)

        return label_of(sae_id, self._write(sae_id, feature_id, author, on_it))


def _report(draft: Draft) -> BulkReport:
    n = draft.n_features
    return BulkReport(draft.batch_id if n else None, n)
