"""Our own JSON: all labels with all that is known of them, their features' stars and skips."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Any

from db.label_records import LabelRecord
from services.errors import InvalidArgument
from services.labels.formats.items import (
    Entry,
    LabelFile,
    Malformed,
    ReadLabel,
    ReadMarks,
    Record,
    Written,
    clean,
    dump,
    feature_number,
    new_label,
    require_object,
)
from services.labels.requests import MAX_REASON
from services.runs.queries import MAX_AUTHOR
from services.text import storable

FORMAT = "json"
_NAME, _VERSION = "actiscope-labels", 1
_FIELDS = ("text", "category", "notes", "confidence", "source", "source_name")


def read(document: Any) -> LabelFile | None:
    """The document as a file of ours; None when it is none."""
    if not isinstance(document, dict) or document.get("format") != _NAME:
        return None
    if document.get("version") != _VERSION:
        raise InvalidArgument(
            f"a newer version wrote this file (version {str(document.get('version'))[:20]}, known "
            f"is {_VERSION})"
        )
    features, sae_id = document.get("features"), document.get("sae_id")
    if not isinstance(features, list):
        raise InvalidArgument("features must be a list")
    return LabelFile(FORMAT, _entries(features), sae_id if isinstance(sae_id, str) else None)


def _entries(features: list[Any]) -> Iterator[Entry]:
    for i, feature in enumerate(features):
        yield Entry(f"features[{i}]", partial(_read, feature))


def _read(value: Any) -> list[ReadLabel | ReadMarks]:
    feature = require_object(value)
    feature_id, labels = feature_number(feature.get("feature_id")), feature.get("labels")
    if not isinstance(labels, list):
        raise Malformed("labels must be a list")
    read: list[ReadLabel | ReadMarks] = [read_label(feature_id, clean(x)) for x in labels]
    return read + read_marks(feature_id, clean(feature))


def read_label(feature_id: int, record: Record) -> ReadLabel:
    """A label of a record with our names."""
    record = require_object(record)
    values = {name: record[name] for name in _FIELDS if record.get(name) is not None}
    extra = record.get("extra")
    if extra is not None and not isinstance(extra, dict):
        raise Malformed("extra must be an object")
    return ReadLabel(
        feature_id,
        new_label(**values),
        extra,
        _short(record.get("author"), MAX_AUTHOR, "author"),
        _time(record.get("created_at")),
        _time(record.get("updated_at")),
        record.get("is_chosen") is True,
    )


def read_marks(feature_id: int, record: Record) -> list[ReadMarks]:
    """Star and skip of a record with our names, if there are any."""
    reason = _short(record.get("skip_reason"), MAX_REASON, "skip_reason")
    by = _short(record.get("skipped_by"), MAX_AUTHOR, "skipped_by")
    starred = record.get("is_starred") is True
    return [ReadMarks(feature_id, starred, reason, by)] if starred or reason else []


def _short(value: Any, limit: int, name: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > limit:
        raise Malformed(f"{name} must be a text of at most {limit} characters")
    return storable(value)


def _time(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:
            raise Malformed(f"{value[:40]!r} has no time zone")
        return time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):  # the last: outside the years 1 to 9999 in UTC
        raise Malformed(f"{str(value)[:40]!r} is no time") from None


def write(what: Written) -> bytes:
    """All of it."""
    by_feature = {id: list(some) for id, some in groupby(what.labels, attrgetter("feature_id"))}
    features = [
        _feature(what, feature_id, by_feature.get(feature_id, []))
        for feature_id in sorted({*by_feature, *what.marks})
    ]
    head = {"format": _NAME, "version": _VERSION, "sae_id": what.sae.sae_id}
    document = head | {"d_sae": what.sae.d_sae, "features": features}
    return (dump(document) + "\n").encode()


def _feature(what: Written, feature_id: int, labels: list[LabelRecord]) -> Record:
    marks = what.marks.get(feature_id)
    return {
        "feature_id": feature_id,
        "is_starred": marks is not None and marks.is_starred,
        "skip_reason": marks.skip_reason if marks else None,
        "skipped_by": marks.skipped_by if marks else None,
        "labels": [label_record(what, label) for label in labels],
    }


def label_record(what: Written, label: LabelRecord) -> Record:
    """A label under our names."""
    record: Record = {name: getattr(label, name) for name in (*_FIELDS, "author")}
    return record | {
        "created_at": label.created_at.isoformat(),
        "updated_at": label.updated_at.isoformat(),
        "is_chosen": label.label_id in what.chosen,
        "extra": label.extra,
    }
