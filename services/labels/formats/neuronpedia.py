"""Neuronpedia's explanations: a list or lines of objects with modelId, layer, index, description.

Fields that have no place here are kept and written again, and so is what stands around the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from db.label_records import LabelledSae, LabelRecord
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

FORMAT = "neuronpedia"
_holds = layouts.is_list_of(({"index"}, {"description"}))


def read(document: Any) -> LabelFile | None:
    """The document as a file of explanations; None when it is none."""
    if isinstance(document, dict) and {"index", "description"} <= document.keys():
        document = [document]
    found = layouts.unwrapped(document, _holds)
    if found is None:
        return None
    entries, layout = found
    name = layout.get("within", "explanations")
    places = ((place, value) for place, _, value in layouts.places(entries, name))
    return LabelFile(FORMAT, _entries(places), layout={"form": "list"} | layout)


def read_lines(lines: Iterator[tuple[str, Any]]) -> LabelFile:
    """Place and value of each line."""
    return LabelFile(FORMAT, _entries(lines), layout={"form": "lines"})


def _entries(values: Iterator[tuple[str, Any]]) -> Iterator[Entry]:
    for place, value in values:
        yield Entry(place, partial(_read, value), _source(value))


def _source(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    model, layer = value.get("modelId"), value.get("layer")
    return f"{model}/{layer}" if isinstance(model, str) and isinstance(layer, str) else None


def _read(value: Any) -> list[ReadLabel]:
    if isinstance(value, ValueError):
        raise Malformed(f"it is not JSON: {value}")
    record = require_object(value)
    feature_id, label = feature_number(record.get("index")), _label(record)
    # Model and layer are kept always: the SAE may be another one here, or have no page there.
    extra = kept(record, _written(feature_id, label, None, None))
    return [ReadLabel(feature_id, label, extra)]


def _label(record: Record) -> NewLabel:
    text, notes = record.get("description"), record.get("notes")
    if not isinstance(text, str) or not text.strip():
        raise Malformed("it has no description")
    model = record.get("explanationModelName")
    by_model = isinstance(model, str) and bool(model.strip())
    return new_label(
        text=text,
        notes=notes if isinstance(notes, str) else "",
        source=LabelSource.AUTOMATIC if by_model else LabelSource.IMPORTED,
        source_name=model if by_model else FORMAT,
    )


def _written(feature_id: int, label: Any, model_id: Any, layer: Any) -> Record:
    by_model = label.source == LabelSource.AUTOMATIC
    record = {
        "modelId": model_id,
        "layer": layer,
        "index": str(feature_id),
        "description": label.text,
        "explanationModelName": label.source_name if by_model else None,
        "typeName": None,
    }
    return record | ({"notes": label.notes} if label.notes else {})


def write(what: Written) -> bytes:
    """All labels, those of the document at their places in it."""
    place = partial(_record, what.sae)
    return layouts.listed([place(label) for label in what.labels], what.layout or {"form": "list"})


def _record(sae: LabelledSae, label: LabelRecord) -> Record:
    model_id, _, layer = (sae.neuronpedia_id or f"{sae.model_id}/{sae.hook_name}").partition("/")
    extra = label.extra or {}
    named = {name: extra[name] for name in ("modelId", "layer") if name in extra}
    written = _written(label.feature_id, label, model_id, layer) | named
    return restored(label, written, _label)
