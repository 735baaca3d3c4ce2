"""Labels of features: said, changed, taken back, asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from db.label_records import LabelRecord
from services.errors import InvalidArgument, NotFound
from services.labels import editing
from services.labels.draft import Draft
from services.labels.exporting import exported
from services.labels.importing import Imports
from services.labels.queue import Queue
from services.labels.requests import (
    MAX_AUTHOR,
    AddLabel,
    BulkEdit,
    EditLabel,
    Format,
    HistoryQuery,
    Mode,
    QueueQuery,
)
from services.labels.snapshot import LabelSnapshot, label_of
from services.labels.snapshots import Snapshots
from services.labels.statistics import Statistics
from services.labels.status import status_of
from services.labels.store import LabelStore
from services.sae.feature_ids import require_feature
from services.text import storable
from services.types import Download
from services.types.labels import (
    BulkReport,
    ChangePage,
    FeatureLabels,
    ImportReport,
    Label,
    LabelStatus,
    QueueItem,
)

Value = TypeVar("Value")


class Labels:
    """What people and models say of features. An `author` of None is ACTISCOPE_USER.

    Labels of an SAE that was taken out of use can be read, but not changed.

    Raises:
        NotFound: no such SAE, or it has no such feature.
        Conflict: the SAE was taken out of use; from every method that writes.
        Unavailable, ResourceExhausted: of the database; from every method.
    """

    def __init__(self, store: LabelStore, author: str, statistics: Statistics) -> None:
        self._store = store
        self._author = author
        self._statistics = statistics
        self._queue = Queue(store, statistics)
        self._imports = Imports(store)
        self._snapshots = Snapshots(store)

    # Reading

    def snapshot(self, sae_id: str) -> LabelSnapshot:
        """All labels as they are now; one cheap query when nothing has changed."""
        return self._snapshots.of(sae_id)

    def texts(self, sae_id: str, ids: Iterable[int]) -> dict[int, str]:
        """The chosen labels of some features; those without one, and of unknown SAEs, are left
        out.
        """
        try:
            snapshot = self.snapshot(sae_id)
        except NotFound:
            return {}
        found = ((id, snapshot.text(id)) for id in ids)
        return {id: text for id, text in found if text is not None}

    def feature(self, sae_id: str, feature_id: int) -> FeatureLabels:
        """All labels of a feature, and the newest hundred entries of its history."""
        self._require(sae_id, feature_id)
        return self._store.feature(sae_id, feature_id)

    def label(self, label_id: str) -> Label:
        """One label, whole.

        Raises:
            NotFound: there is none.
        """
        sae_id, feature_id = self._store.feature_of(label_id)
        for label in self._store.feature(sae_id, feature_id).labels:
            if label.label_id == label_id:
                return label
        raise NotFound(f"there is no label {label_id[:64]!r}: it was removed")

    def status(self, sae_id: str, store_id: str | None = None) -> LabelStatus:
        """How far the labelling of an SAE is."""
        sae = self._store.sae(sae_id)
        n_live = self._statistics.n_live(sae_id, store_id)
        n_disagreeing = len(self._store.disagreeing(sae_id))
        return status_of(self.snapshot(sae_id), sae.d_sae, n_live, n_disagreeing)

    def history(self, query: HistoryQuery) -> ChangePage:
        """What was done, newest first."""
        self._store.sae(query.sae_id)
        return self._store.history(query)

    def next(self, query: QueueQuery) -> QueueItem | None:
        """The feature to label next; None when none is left.

        Raises:
            Unsupported: the order needs what there is not yet: an extraction, families.
        """
        return self._queue.next(query, self.snapshot(query.sae_id))

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

    def export(self, sae_id: str, format: Format = "csv") -> Download:
        """All labels of an SAE as a file."""
        sae = self._store.sae(sae_id)
        return exported(sae, self._store.everything(sae.sae_id, format), format)

    def look(self, content: bytes, sae_id: str | None = None) -> ImportReport:
        """What an import would do.

        Raises:
            InvalidArgument: it is no file of labels, or of which SAE is not known.
            TooLarge: see services.labels.importing.
        """
        return self._imports.look(content, sae_id)

    def import_(
        self,
        content: bytes,
        sae_id: str | None = None,
        author: str | None = None,
        mode: Mode = "stop",
    ) -> ImportReport:
        """Add the labels of a file; those that are there word for word are not added again.

        Raises:
            InvalidArgument: as `look`; in mode "stop" also when anything of it cannot be used.
            TooLarge: see services.labels.importing.
        """
        return self._imports.add(content, sae_id, self._named(author), mode)

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
