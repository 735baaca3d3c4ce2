"""Label files of the SplatNLP dashboard: objects by the number of the feature.

Two of its files are known, and more of the same kind are read: `consolidated_{model}.json`
(display_name, dashboard_category, dashboard_notes, hypothesis_confidence, …) and
`feature_labels_{model}.json` (name, category, notes, …). Which names a file uses is found out from
its first entry, and they are used again when it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from db.label_records import LabelRecord
from services.labels.formats import layouts
from services.labels.formats.items import (
    Entry,
    LabelFile,
    Malformed,
    ReadLabel,
    Record,
    Written,
    feature_number,
    kept,
    new_label,
    require_object,
    restored,
)
from services.labels.requests import NewLabel
from services.types.labels import LabelSource

FORMAT = "splatnlp"

_NAMES = {
    "text": ("display_name", "name", "label", "dashboard_name"),
    "category": ("dashboard_category", "category"),
    "notes": ("dashboard_notes", "notes"),
    "confidence": ("interpretability_confidence", "hypothesis_confidence", "confidence"),
    "source": ("source",),
}
_CONSOLIDATED = {
    "text": "display_name",
    "category": "dashboard_category",
    "notes": "dashboard_notes",
    "confidence": "hypothesis_confidence",
    "source": "source",
}
_NO_CATEGORY = "none"
_NUMBERS = ("feature_id", "feature", "index", "neuron_index")

Names = Mapping[str, str]  # our field: its name in the file


def read(document: Any) -> LabelFile | None:
    """The document as a file of such labels; None when it is none."""
    found = layouts.unwrapped(document, _is_keyed) or layouts.unwrapped(document, _is_list)
    if found is None:
        return None
    entries, layout = found
    first = _first(entries if isinstance(entries, list) else entries.values())
    names = _names_in(first)
    form = "list" if isinstance(entries, list) else "keyed"
    layout = {"form": form, "names": names} | layout
    if isinstance(first.get("model_type"), str):
        layout["model_type"] = first["model_type"]
    return LabelFile(FORMAT, _entries(entries, layout), layout=layout)


def _is_keyed(value: Any) -> bool:
    if not layouts.is_keyed_by_number(value, dict):
        return False
    return "text" in _names_in(_first(value.values()))


_is_list = layouts.is_list_of((set(_NUMBERS), set(_NAMES["text"])))


def _first(entries: Iterable[Any]) -> Record:
    """The first entry that says something; others than objects are refused one by one later."""
    return next((entry for entry in entries if isinstance(entry, dict) and entry), {})


def _names_in(record: Record) -> dict[str, str]:
    found = {ours: [name for name in names if name in record] for ours, names in _NAMES.items()}
    return {ours: names[0] for ours, names in found.items() if names}


def _entries(value: Any, layout: Mapping[str, Any]) -> Iterator[Entry]:
    for place, key, inner in layouts.places(value, layout.get("within", "features")):
        yield Entry(place, partial(_read, key, inner, layout["names"]))


def _read(key: str | None, value: Any, names: Names) -> list[ReadLabel]:
    record = require_object(value)
    number = key
    if number is None:
        number = next((record[name] for name in _NUMBERS if name in record), None)
    feature_id, label = feature_number(number), _label(names, record)
    return [ReadLabel(feature_id, label, kept(record, _written(feature_id, label, names, {})))]


def _label(names: Names, record: Record) -> NewLabel:
    said = {ours: record.get(theirs) for ours, theirs in names.items()}
    text, confidence = said.get("text"), said.get("confidence")
    if not isinstance(text, str) or not text.strip():
        raise Malformed(f"it has no {names['text']}")
    category, notes, source = (said.get(name) for name in ("category", "notes", "source"))
    is_share = isinstance(confidence, int | float) and not isinstance(confidence, bool)
    return new_label(
        text=text,
        category=category if isinstance(category, str) and category != _NO_CATEGORY else None,
        notes=notes if isinstance(notes, str) else "",
        confidence=float(confidence or 0) if is_share and 0 <= (confidence or 0) <= 1 else None,
        source=LabelSource.IMPORTED,
        source_name=source if isinstance(source, str) and source.strip() else FORMAT,
    )


def _written(feature_id: int, label: Any, names: Names, layout: Mapping[str, Any]) -> Record:
    values = {
        "text": label.text,
        "category": label.category or _NO_CATEGORY,
        "notes": label.notes,
        "confidence": label.confidence,
        "source": label.source_name or str(label.source),
    }
    record = {theirs: values[ours] for ours, theirs in names.items()}
    if names["text"] == _CONSOLIDATED["text"]:  # its reader takes no entry without these
        record |= {"feature_id": feature_id, "model_type": layout.get("model_type", "full")}
    return record


def write(what: Written) -> bytes:
    """One label per feature: the document's own, unless another was made and chosen since."""
    layout = what.layout or {"form": "keyed", "names": _CONSOLIDATED}
    record = partial(_record, layout)
    labels = one_per_feature(what)
    if layout["form"] == "list":
        return layouts.listed([record(label) for label in labels], layout)
    return layouts.keyed({str(x.feature_id): record(x) for x in labels}, layout)


def _record(layout: Mapping[str, Any], label: LabelRecord) -> Record:
    names = layout["names"]
    written = _written(label.feature_id, label, names, layout)
    if layout["form"] == "list" and not written.keys() & {*_NUMBERS}:
        written = {"feature_id": label.feature_id} | written
    return restored(label, written, partial(_label, names))


def one_per_feature(what: Written) -> list[LabelRecord]:
    """The labels of a file that has room for one."""
    own: dict[int, LabelRecord] = {}
    chosen: dict[int, LabelRecord] = {}
    for label in what.labels:
        if label.document_id is not None and label.document_id == what.document_id:
            own.setdefault(label.feature_id, label)
        if label.label_id in what.chosen:
            chosen[label.feature_id] = label
    shown = own | {
        id: label
        for id, label in chosen.items()
        if id not in own or label.created_at > own[id].created_at
    }
    return list(shown.values())
