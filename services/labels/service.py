"""Labels of features: said, changed, taken back, asked for."""

from __future__ import annotations

from collections.abc import Iterable

from services.errors import NotFound
from services.labels.exporting import exported
from services.labels.importing import Imports
from services.labels.queue import Queue
from services.labels.requests import Format, HistoryQuery, Mode, QueueQuery
from services.labels.snapshot import LabelSnapshot
from services.labels.snapshots import Snapshots
from services.labels.statistics import Statistics
from services.labels.status import status_of
from services.labels.store import LabelStore
from services.labels.writing import Writing
from services.types import Download
from services.types.labels import (
    ChangePage,
    FeatureLabels,
    ImportReport,
    Label,
    LabelStatus,
    QueueItem,
)


class Labels(Writing):
    """What people and models say of features. An `author` of None is ACTISCOPE_USER.

    Labels of an SAE that was taken out of use can be read, but not changed.

    Raises:
        NotFound: no such SAE, or it has no such feature.
        Conflict: the SAE was taken out of use; from every method that writes.
        Unavailable, ResourceExhausted: of the database; from every method.
    """

    def __init__(self, store: LabelStore, author: str, statistics: Statistics) -> None:
        super().__init__(store, author)
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

    # Files

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
