"""Writing labels: one transaction's worth at a time, in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from operator import attrgetter
from typing import Any

from sqlalchemy import bindparam, delete, insert, update
from sqlalchemy.orm import Session

from db.bulk_insert import insert_rows
from db.label_history import feature_key, some_of
from db.label_records import (
    FeatureRecord,
    LabelDocument,
    LabelRecord,
    LabelWrites,
    NewChange,
)
from db.models import FeatureRow, LabelDocumentRow, LabelHistoryRow, LabelRow, table

_FEATURES, _LABELS, _HISTORY = table(FeatureRow), table(LabelRow), table(LabelHistoryRow)
_LABEL = tuple(field.name for field in fields(LabelRecord) if field.name != "feature_id")
_CHANGE = tuple(field.name for field in fields(NewChange) if field.name != "feature_id")
_MARKS = ("is_starred", "chosen_label_id", "skip_reason", "skipped_by")
_FEATURE = ("feature_key", "external_sae_id", "neuron_index", "revision", *_MARKS)
_label_values, _change_values = attrgetter(*_LABEL), attrgetter(*_CHANGE)
_mark_values = attrgetter(*_MARKS)


def write(session: Session, sae_id: str, revision: int, writes: LabelWrites) -> None:
    """All of `writes`, under this revision."""
    features = [_feature(sae_id, revision, feature) for feature in writes.new_features]
    insert_rows(session, _FEATURES, _FEATURE, features)
    for some in some_of(writes.deleted):
        session.execute(delete(_LABELS).where(_LABELS.c.label_id.in_(some)))
    labels = [(feature_key(sae_id, x.feature_id), *_label_values(x)) for x in writes.inserted]
    insert_rows(session, _LABELS, ("feature_key", *_LABEL), labels)
    _update_labels(session, writes.updated)
    _update_features(session, sae_id, revision, writes.changed_features)
    changes = [
        (sae_id, feature_key(sae_id, x.feature_id), *_change_values(x)) for x in writes.changes
    ]
    insert_rows(session, _HISTORY, ("sae_id", "feature_key", *_CHANGE), changes)


def keep_document(session: Session, sae_id: str, document: LabelDocument) -> None:
    """Keep what a file says beside its labels."""
    values = asdict(document) | {"sae_id": sae_id}
    session.execute(insert(table(LabelDocumentRow)).values(values))


def _update_labels(session: Session, labels: Sequence[LabelRecord]) -> None:
    names = [name for name in _LABEL if name != "label_id"]
    statement = update(_LABELS).where(_LABELS.c.label_id == bindparam("key"))
    statement = statement.values({name: bindparam(name) for name in names})
    rows = [{"key": x.label_id} | {name: getattr(x, name) for name in names} for x in labels]
    if rows:
        session.connection().execute(statement, rows)


def _update_features(
    session: Session, sae_id: str, revision: int, features: Sequence[FeatureRecord]
) -> None:
    names = (*_MARKS, "revision")
    statement = update(_FEATURES).where(_FEATURES.c.feature_key == bindparam("key"))
    statement = statement.values({name: bindparam(name) for name in names})
    rows = [
        {"key": feature_key(sae_id, x.feature_id), "revision": revision}
        | {name: getattr(x, name) for name in _MARKS}
        for x in features
    ]
    if rows:
        session.connection().execute(statement, rows)


def _feature(sae_id: str, revision: int, feature: FeatureRecord) -> tuple[Any, ...]:
    number = feature.feature_id
    return (feature_key(sae_id, number), sae_id, number, revision, *_mark_values(feature))
