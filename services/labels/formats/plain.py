"""Labels as SAELens' users keep them: an object of texts by the number of the feature."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from services.labels.formats import layouts
from services.labels.formats.items import (
    Entry,
    LabelFile,
    Malformed,
    ReadLabel,
    Twice,
    Written,
    feature_number,
    new_label,
)
from services.labels.formats.splatnlp import one_per_feature
from services.types.labels import LabelSource

FORMAT = "saelens"


def read(document: Any) -> LabelFile | None:
    """The document as texts by feature; None when it is none."""
    found = layouts.unwrapped(document, lambda value: layouts.is_keyed_by_number(value, str))
    if found is None:
        return None
    entries, layout = found
    return LabelFile(FORMAT, _entries(entries, layout.get("within", "labels")), layout=layout)


def _entries(value: Any, name: str) -> Iterator[Entry]:
    for place, key, inner in layouts.places(value, name):
        yield Entry(place, partial(_read, key, inner))


def _read(key: str, value: Any) -> list[ReadLabel]:
    if isinstance(value, Twice):
        raise Malformed("it stands twice")
    if not isinstance(value, str):
        raise Malformed(f"a text is expected, not {type(value).__name__}")
    label = new_label(text=value, source=LabelSource.IMPORTED, source_name=FORMAT)
    return [ReadLabel(feature_number(key), label)]


def write(what: Written) -> bytes:
    """The text of one label per feature."""
    texts = {str(label.feature_id): label.text for label in one_per_feature(what)}
    return layouts.keyed(texts, what.layout or {})
