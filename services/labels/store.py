"""The tables of labels, in the house's own values and errors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from db.label_records import (
    ChangeFilter,
    ChangeRecord,
    FeatureRecord,
    LabelDocument,
    LabelledSae,
    LabelRecord,
)
from db.label_writes import keep_document, write
from db.labels import LabelRepository
from services.database import Database
from services.errors import Conflict, NotFound
from services.labels.draft import Draft
from services.labels.history import change_of, parse_cursor
from services.labels.requests import HistoryQuery
from services.labels.snapshot import LabelSnapshot, label_of
from services.labels.undo import undo
from services.text import storable
from services.types.labels import ChangePage, FeatureLabels, FeatureMarks

Value = TypeVar("Value")
Ids = Collection[int]
Work = Callable[[Draft], Value]

_HISTORY_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Everything:
    """The labels of an SAE as they were at one moment."""

    features: Mapping[int, FeatureRecord]
    labels: list[LabelRecord]
    document: LabelDocument | None


class LabelStore:
    """Reads and writes labels; writers of one SAE wait for each other.

    Raises:
        Unavailable, ResourceExhausted: see services.database; from every method.
        NotFound: no such SAE; from every method that names one.
    """

    def __init__(self, database: Database, sync: Callable[[], object]) -> None:
        self._database = database
        self._sync = sync  # brings the table of SAEs up to date with the folders

    def sae(self, sae_id: str) -> LabelledSae:
        """The SAE, whether or not it was taken out of use."""
        sae_id = storable(sae_id)
        with self._read() as labels:
            found = labels.sae(sae_id)
        if found is None:
            self._sync()
            with self._read() as labels:
                found = labels.sae(sae_id)
        return _required(found, sae_id)

    def saes_of(self, neuronpedia_id: str) -> list[str]:
        """Ids of the SAEs that Neuronpedia shows under this id."""
        with self._read() as labels:
            return labels.saes_of(neuronpedia_id)

    def renewed(self, snapshot: LabelSnapshot) -> LabelSnapshot:
        """The snapshot as it is now; the same one when nothing was written."""
        with self._read() as labels:
            epoch, revision = labels.revision(snapshot.sae_id)
            if (epoch, revision) == (snapshot.epoch, snapshot.revision):
                return snapshot
            after = snapshot.revision if epoch == snapshot.epoch else 0
            return snapshot.renewed(epoch, revision, *labels.marked(snapshot.sae_id, after))

    def labels(self, sae_id: str, ids: Ids | None = None) -> list[LabelRecord]:
        """Labels by feature, each feature's in the order in which they came."""
        with self._read() as labels:
            return labels.labels(sae_id, ids)

    def feature(self, sae_id: str, feature_id: int) -> FeatureLabels:
        """All labels of a feature and the newest of its history."""
        with self._read() as labels:
            feature = labels.features(sae_id, [feature_id]).get(feature_id)
            found = [label_of(sae_id, record) for record in labels.labels(sae_id, [feature_id])]
            its = ChangeFilter(feature_id=feature_id)
            history = labels.page(sae_id, its, _HISTORY_SHOWN, None)
        chosen_id = feature.chosen_label_id if feature else None
        found.sort(key=lambda label: label.label_id != chosen_id)
        marks = FeatureMarks(
            feature_id,
            found[0] if found else None,
            len(found),
            feature is not None and feature.is_starred,
            feature.skip_reason if feature else None,
        )
        return FeatureLabels(marks, tuple(found), tuple(map(change_of, history)))

    def feature_of(self, label_id: str) -> tuple[str, int]:
        """SAE and feature of a label.

        Raises:
            NotFound: there is no such label.
        """
        with self._read() as labels:
            found = labels.feature_of(storable(label_id))
        if found is None:
            raise NotFound(f"there is no label {label_id[:64]!r}: it may have been removed")
        return found

    def disagreeing(self, sae_id: str) -> dict[int, int]:
        """Features whose labels differ, and how many different texts each has."""
        with self._read() as labels:
            return labels.disagreeing(sae_id)

    def everything(self, sae_id: str, format: str) -> Everything:
        """All that is known of the labels, and the newest document of a format that they are of,
        at one moment.
        """
        with self._read() as labels:
            return Everything(
                labels.features(sae_id), labels.labels(sae_id), labels.document(sae_id, format)
            )

    def history(self, query: HistoryQuery) -> ChangePage:
        """Changes, newest first."""
        names = ("feature_id", "author", "action", "batch_id")
        filters = ChangeFilter(**{name: getattr(query, name) for name in names})
        before = parse_cursor(query.cursor)
        with self._read() as labels:
            found = labels.page(query.sae_id, filters, query.limit + 1, before)
        items = tuple(map(change_of, found[: query.limit]))
        more = len(found) > query.limit
        return ChangePage(items, str(items[-1].change_id) if more else None)

    # Writing

    def write(
        self,
        sae_id: str,
        ids: Ids | None,
        author: str,
        work: Work[Value],
        document: LabelDocument | None = None,
    ) -> tuple[Value, Draft]:
        """Let `work` change the labels of features (of all without `ids`) and keep that; nothing
        is kept when it raises.

        Raises:
            Conflict: the SAE was taken out of use.
        """
        self.sae(sae_id)
        with self._database.write() as session:
            labels = LabelRepository(session)
            revision = _begin(labels, sae_id)
            draft = self._draft(labels, sae_id, ids, author)
            value = work(draft)
            if document is not None and draft.n_features:
                keep_document(session, sae_id, document)
            write(session, sae_id, revision, draft.writes())
        return value, draft

    def undo(self, found: ChangeRecord, whole_batch: bool, author: str) -> Draft:
        """Take a change back, or its whole batch.

        Raises:
            Conflict: it was taken back already, or something was changed since.
        """
        with self._database.write() as session:
            labels = LabelRepository(session)
            revision = _begin(labels, found.sae_id)
            if whole_batch:
                changes = labels.batch(found.batch_id)
            else:
                changes = labels.changes([found.change_id])
            standing = [change for change in changes if change.undone_by is None]
            if not standing:
                raise Conflict("that was undone already: undo the undoing to have it again")
            ids = {change.feature_id for change in standing}
            draft = self._draft(labels, found.sae_id, ids, author)
            undo(draft, standing)
            write(session, found.sae_id, revision, draft.writes())
            labels.mark_undone([change.change_id for change in standing], draft.batch_id)
            _stand_again(labels, standing)
        return draft

    def change(self, change_id: int | None, batch_id: str | None) -> ChangeRecord:
        """A change, or one of a batch.

        Raises:
            NotFound: there is none.
        """
        with self._read() as labels:
            if change_id is not None:
                found = labels.change(change_id)
            else:
                found = labels.first_of(storable(batch_id or ""))
        if found is None:
            raise NotFound(f"the history has no {change_id or (batch_id or '')[:64]!r}")
        return found

    def _draft(self, labels: LabelRepository, sae_id: str, ids: Ids | None, author: str) -> Draft:
        features, there = labels.features(sae_id, ids), labels.labels(sae_id, ids)
        return Draft(features, there, author, datetime.now(UTC))

    @contextmanager
    def _read(self) -> Iterator[LabelRepository]:
        with self._database.read() as session:
            yield LabelRepository(session)


def _begin(labels: LabelRepository, sae_id: str) -> int:
    """Asked again within the transaction: the SAE may have gone in between."""
    if _required(labels.sae(sae_id, locked=True), sae_id).is_deleted:
        raise Conflict(
            f"SAE {sae_id} was taken out of use; its labels can be read and exported: put it into "
            "use again to change them",
            sae_id=sae_id,
        )
    return labels.begin(sae_id)


def _stand_again(labels: LabelRepository, undone: list[ChangeRecord]) -> None:
    """An undoing that is undone leaves what it had taken back standing, and so on."""
    by: str | None = None
    while ids := [change.undoes for change in undone if change.undoes is not None]:
        labels.mark_undone(ids, by)
        undone = labels.changes(ids)
        by = undone[0].batch_id if by is None and undone else None


def _required(found: LabelledSae | None, sae_id: str) -> LabelledSae:
    if found is None:
        raise NotFound(f"there is no SAE {sae_id[:200]!r}", sae_id=sae_id[:200])
    return found
