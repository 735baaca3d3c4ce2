"""The repository of labels: every statement about them, within a session of `db.unit_of_work`.

Each writing transaction begins with `begin`, whose UPDATE of one row lets one writer of an SAE
through at a time; so revisions are in the order of the commits, and a reader who has seen one has
seen all before it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from db.label_history import LabelHistory, some_of
from db.label_records import (
    FeatureRecord,
    LabelDocument,
    LabelledSae,
    LabelRecord,
    MarkedFeature,
)
from db.models import (
    FeatureRow,
    LabelDocumentRow,
    LabelRevisionRow,
    LabelRow,
    SaeRow,
    table,
)

_FEATURES, _LABELS = table(FeatureRow), table(LabelRow)
_REVISIONS, _DOCUMENTS, _SAES = table(LabelRevisionRow), table(LabelDocumentRow), table(SaeRow)

_MOST = 20_000  # features that are looked up; more are read with the whole SAE
_MARKS = ("is_starred", "chosen_label_id", "skip_reason", "skipped_by")
_MARKED = [_FEATURES.c[name] for name in ("neuron_index", "is_starred", "skip_reason")] + [
    _LABELS.c[name] for name in MarkedFeature._fields[3:]
]
Ids = Collection[int]


class LabelRepository(LabelHistory):
    """Reads labels and their history; `db.label_writes` writes them."""

    def sae(self, sae_id: str, *, locked: bool = False) -> LabelledSae | None:
        """The SAE, whether or not it was taken out of use; `locked`, where rows can be, against
        being forgotten before this transaction ends.
        """
        names = ("sae_id", "model_id", "hook_name", "d_sae", "neuronpedia_id")
        columns = [_SAES.c[name] for name in names]
        statement = select(*columns, _SAES.c.deleted_at.is_not(None).label("is_deleted"))
        statement = statement.where(_SAES.c.sae_id == sae_id)
        if locked:
            statement = statement.with_for_update(read=True, key_share=True)
        row = self._session.execute(statement).first()
        return None if row is None else LabelledSae(**row._mapping)

    def saes_of(self, neuronpedia_id: str) -> list[str]:
        """Ids of the SAEs that Neuronpedia shows under this id."""
        theirs = _SAES.c.neuronpedia_id == neuronpedia_id
        return list(self._session.scalars(select(_SAES.c.sae_id).where(theirs)))

    def begin(self, sae_id: str) -> int:
        """The revision of what this transaction writes; others that write wait from here on."""
        is_postgres = self._session.get_bind().dialect.name == "postgresql"
        first: Any = (postgresql if is_postgres else sqlite).insert(_REVISIONS)
        first = first.values(sae_id=sae_id, epoch=uuid.uuid4().hex, revision=0)
        self._session.execute(first.on_conflict_do_nothing())
        mine = _REVISIONS.c.sae_id == sae_id
        statement = update(_REVISIONS).where(mine).values(revision=_REVISIONS.c.revision + 1)
        return self._session.execute(statement.returning(_REVISIONS.c.revision)).scalar_one()

    def revision(self, sae_id: str) -> tuple[str, int]:
        """Epoch and revision of the SAE's labels; ("", 0) before the first one."""
        statement = select(_REVISIONS.c.epoch, _REVISIONS.c.revision)
        row = self._session.execute(statement.where(_REVISIONS.c.sae_id == sae_id)).first()
        return ("", 0) if row is None else (row.epoch, row.revision)

    # What is there

    def features(self, sae_id: str, ids: Ids | None = None) -> dict[int, FeatureRecord]:
        """Rows of features, by number; of all without `ids`."""
        columns = [_FEATURES.c.neuron_index, *(_FEATURES.c[name] for name in _MARKS)]
        found = {}
        for where in _of(sae_id, ids):
            for row in self._session.execute(select(*columns).where(*where)):
                found[row.neuron_index] = _feature(row)
        return found

    def labels(self, sae_id: str, ids: Ids | None = None) -> list[LabelRecord]:
        """Labels by feature, each feature's in the order in which they came."""
        statement = _labels(_LABELS.c.extra)
        order = (_FEATURES.c.neuron_index, _LABELS.c.label_id)
        found: list[LabelRecord] = []
        for where in _of(sae_id, ids):
            rows = self._session.execute(statement.where(*where).order_by(*order))
            found += [_label(row, row.extra) for row in rows]
        return found

    def feature_of(self, label_id: str) -> tuple[str, int] | None:
        """SAE and feature of a label."""
        statement = select(_FEATURES.c.external_sae_id, _FEATURES.c.neuron_index)
        statement = statement.join(_LABELS, _LABELS.c.feature_key == _FEATURES.c.feature_key)
        row = self._session.execute(statement.where(_LABELS.c.label_id == label_id)).first()
        return None if row is None else (row[0], row[1])

    def marked(self, sae_id: str, after: int = 0) -> tuple[Sequence[MarkedFeature], dict[int, int]]:
        """Features that were written after a revision, with their chosen labels; and of those
        that have more than one label, how many.
        """
        mine = (_FEATURES.c.external_sae_id == sae_id) & (_FEATURES.c.revision > after)
        counts = {row[0]: row[1] for row in self._session.execute(_several(mine))}
        chosen = _LABELS.c.label_id == _FEATURES.c.chosen_label_id
        statement = select(*_MARKED).select_from(_FEATURES).outerjoin(_LABELS, chosen)
        # Rows are tuples in the order of MarkedFeature: making 100,000 of them again takes time.
        found: Any = self._session.execute(statement.where(mine)).all()
        return found, counts

    def disagreeing(self, sae_id: str) -> dict[int, int]:
        """Features whose labels differ, and how many different texts each has."""
        n_texts = func.count(func.distinct(_LABELS.c.text))
        statement = select(_FEATURES.c.neuron_index, n_texts)
        statement = statement.join(_LABELS, _LABELS.c.feature_key == _FEATURES.c.feature_key)
        statement = statement.where(_FEATURES.c.external_sae_id == sae_id)
        statement = statement.group_by(_FEATURES.c.neuron_index).having(n_texts > 1)
        return {row[0]: row[1] for row in self._session.execute(statement)}

    def document(self, sae_id: str, format: str) -> LabelDocument | None:
        """The newest imported document of a format of which labels are still there."""
        statement = select(_DOCUMENTS).where(_DOCUMENTS.c.sae_id == sae_id)
        statement = statement.where(_DOCUMENTS.c.format == format)
        used = select(1).where(_LABELS.c.document_id == _DOCUMENTS.c.document_id)
        used = used.join(_FEATURES, _FEATURES.c.feature_key == _LABELS.c.feature_key)
        used = used.where(_FEATURES.c.external_sae_id == sae_id)
        newest = (_DOCUMENTS.c.created_at.desc(), _DOCUMENTS.c.document_id.desc())
        row = self._session.execute(statement.where(used.exists()).order_by(*newest)).first()
        if row is None:
            return None
        values = dict(row._mapping)
        del values["sae_id"]
        return LabelDocument(**values)


def _of(sae_id: str, ids: Ids | None) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Conditions that together take the rows of these features, few at a time."""
    mine = _FEATURES.c.external_sae_id == sae_id
    if ids is None or len(ids) > _MOST:
        yield (mine,)
        return
    for some in some_of(sorted(ids)):
        yield mine, _FEATURES.c.neuron_index.in_(some)


def _labels(*more: Any) -> Select[*tuple[Any, ...]]:
    columns = [column for column in _LABELS.c if column.name not in ("extra", "feature_key")]
    statement: Select[*tuple[Any, ...]] = select(_FEATURES.c.neuron_index, *columns, *more)
    return statement.join(_FEATURES, _FEATURES.c.feature_key == _LABELS.c.feature_key)


def _several(features: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    n = func.count()
    statement: Select[*tuple[Any, ...]] = select(_FEATURES.c.neuron_index, n)
    statement = statement.select_from(_LABELS)
    statement = statement.join(_FEATURES, _FEATURES.c.feature_key == _LABELS.c.feature_key)
    return statement.where(features).group_by(_FEATURES.c.neuron_index).having(n > 1)


def _feature(row: Row[*tuple[Any, ...]]) -> FeatureRecord:
    return FeatureRecord(
        feature_id=row.neuron_index,
        is_starred=row.is_starred,
        chosen_label_id=row.chosen_label_id,
        skip_reason=row.skip_reason,
        skipped_by=row.skipped_by,
    )


def _label(row: Row[*tuple[Any, ...]], extra: Any) -> LabelRecord:
    return LabelRecord(
        label_id=row.label_id,
        feature_id=row.neuron_index,
        text=row.text,
        category=row.category,
        notes=row.notes,
        confidence=row.confidence,
        source=row.source,
        source_name=row.source_name,
        author=row.author,
        created_at=row.created_at,
        updated_at=row.updated_at,
        document_id=row.document_id,
        document_row=row.document_row,
        extra=extra,
    )
