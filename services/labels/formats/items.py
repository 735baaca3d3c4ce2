"""What all formats read into and are written from."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from db.label_records import LabelledSae, LabelRecord
from services.labels.requests import NewLabel
from services.text import storable

ABSENT = "actiscope:absent"  # in `extra`: fields that we would write and the file did not have

_DEEPEST = 64  # values within values

Record = dict[str, Any]


class Malformed(Exception):
    """An entry of a file that cannot be used, and why."""


@dataclass(frozen=True, slots=True)
class ReadLabel:
    """A label as a file has it; what a format does not say is None."""

    feature_id: int
    label: NewLabel
    extra: Mapping[str, Any] | None = None
    author: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class ReadMarks:
    """What a file says of a feature beside its labels."""

    feature_id: int
    is_starred: bool
    skip_reason: str | None
    skipped_by: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a file, not yet looked at; `read` raises Malformed."""

    place: str  # "line 17", "features[3]"
    read: Callable[[], Iterable[ReadLabel | ReadMarks]]
    source: str | None = None  # the SAE that it names, as Neuronpedia calls it


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A file of labels, as far as it was read to know what it is."""

    format: str
    entries: Iterator[Entry]
    sae_id: str | None = None  # that it says it is of
    layout: dict[str, Any] = field(default_factory=dict)  # what else it says


@dataclass(frozen=True, slots=True)
class Written:
    """What a file is written from: labels by feature, in order, and who is chosen."""

    sae: LabelledSae
    labels: list[LabelRecord]
    marks: Mapping[int, ReadMarks]
    chosen: frozenset[str]
    layout: Mapping[str, Any] | None  # of the document that labels came from
    document_id: str | None


class Twice(dict[str, Any]):
    """An object of JSON in which a key stands twice."""

    key = ""


def parse_json(text: str) -> Any:
    """The value that `text` spells; an object with a key twice is a `Twice`.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> Record:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    twice = Twice(made)
    twice.key = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
    return twice


_decoder = json.JSONDecoder(object_pairs_hook=_object)


def require_object(value: Any) -> Record:
    """An object without a key twice; Malformed otherwise."""
    if not isinstance(value, dict):
        raise Malformed(f"an object is expected, not {type(value).__name__}")
    if isinstance(value, Twice):
        raise Malformed(f"the key {value.key[:100]!r} stands twice")
    return value


def clean(value: Any, depth: int = 0) -> Any:
    """`value` as both databases keep it; Malformed for what JSON has no word for, and for what is
    nested so deeply that it could be read but not written again.
    """
    if depth > _DEEPEST:
        raise Malformed(f"it is nested more than {_DEEPEST} deep")
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(k): clean(v, depth + 1) for k, v in require_object(value).items()}
    if isinstance(value, list):
        return [clean(inner, depth + 1) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise Malformed("NaN and infinity are no numbers of JSON")
    return value


def feature_number(value: Any) -> int:
    """The number of a feature, which may be spelt as text; Malformed when it is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        number = int(value)
        if str(number) == value:
            return number
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
        return value
    raise Malformed(f"{str(value)[:40]!r} is no number of a feature")


def new_label(**values: Any) -> NewLabel:
    """A label within the limits; Malformed says which one it breaks."""
    from services.errors import InvalidArgument

    try:
        return NewLabel.parse(values)
    except InvalidArgument as error:
        raise Malformed(error.message) from None


def kept(record: Record, written: Record) -> Record | None:
    """What of a record is not said by what we would write for its label."""
    extra = {
        key: clean(value)
        for key, value in record.items()
        if key not in written or not _same(written[key], value)
    }
    if absent := [key for key in written if key not in record]:
        extra[ABSENT] = absent
    return extra or None


def restored(label: LabelRecord, written: Record, read: Callable[[Record], NewLabel]) -> Record:
    """The record that a label came from, with what was changed of the label since."""
    extra = dict(label.extra or {})
    absent = extra.pop(ABSENT, ())
    record = {**written, **extra}
    for key in absent:
        record.pop(key, None)
    try:
        if _says(read(record), label):
            return record
    except Malformed:  # `extra` came with another format
        pass
    return {**{key: value for key, value in extra.items() if key not in written}, **written}


def _says(read: NewLabel, label: LabelRecord) -> bool:
    names = ("text", "category", "notes", "confidence", "source", "source_name")
    return all(getattr(read, name) == getattr(label, name) for name in names)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def dump(value: Any, indent: int | None = 2) -> str:
    """`value` as JSON for people to read."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
