"""Labels as plain values for REST and the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from services.types.labels import (
    ChangePage,
    FeatureLabels,
    FeatureMarks,
    Label,
    LabelChange,
    QueueItem,
)


def label_document(label: Label) -> dict[str, Any]:
    """A label."""
    document = asdict(label)
    document["source"] = label.source.value
    document["extra"] = dict(label.extra)
    for name in ("created_at", "updated_at"):
        document[name] = document[name].isoformat()
    return document


def marks_document(marks: FeatureMarks) -> dict[str, Any]:
    """What is marked at a feature, with its chosen label."""
    return {
        "feature_id": marks.feature_id,
        "label": None if marks.label is None else label_document(marks.label),
        "n_labels": marks.n_labels,
        "is_starred": marks.is_starred,
        "skipped": marks.skipped,
    }


def change_document(change: LabelChange) -> dict[str, Any]:
    """An entry of the history."""
    return asdict(change) | {"at": change.at.isoformat()}


def history_document(page: ChangePage) -> dict[str, Any]:
    """A page of the history."""
    items = [change_document(change) for change in page.items]
    return {"items": items, "next_cursor": page.next_cursor}


def feature_document(found: FeatureLabels) -> dict[str, Any]:
    """All labels of a feature with their history."""
    return {
        **marks_document(found.marks),
        "labels": [label_document(label) for label in found.labels],
        "history": [change_document(change) for change in found.history],
    }


def queue_document(item: QueueItem | None) -> dict[str, Any]:
    """The next feature of the queue; all null when none is left."""
    if item is None:
        return {"feature_id": None, "reason": None, "n_left": 0, "marks": None}
    return {
        "feature_id": item.feature_id,
        "reason": item.reason,
        "n_left": item.n_left,
        "marks": marks_document(item.marks),
    }
