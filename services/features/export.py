"""The whole selection of the table as CSV, JSON or an Arrow stream, made piece by piece."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from services.features.columns import OF_DECODER, OF_STORE, WHOLE
from services.features.lines import lines
from services.features.requests import ExportFormat
from services.features.table import Table
from services.runs.export import csv_safe, in_filename
from services.stores.arrow import MEDIA_TYPE, RecordStream
from services.types.features import FeatureLine

_ROWS = 2048  # in memory at once
_MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "arrow": MEDIA_TYPE,
}
_ENDINGS = {"csv": "csv", "json": "json", "arrow": "arrows"}
_LABEL = ("text", "category", "notes", "confidence", "source", "source_name", "author")


@dataclass(frozen=True, slots=True)
class FeatureFile:
    """A file that is made while it is sent."""

    filename: str
    media_type: str
    chunks: Iterator[bytes]


def export(table: Table, features: np.ndarray, format: ExportFormat) -> FeatureFile:
    """The features in this order, with all that the table has of them."""
    chunks = {"csv": _as_csv, "json": _as_json, "arrow": _as_arrow}[format]
    filename = f"actiscope-{in_filename(table.basis.sae_id)}-features.{_ENDINGS[format]}"
    return FeatureFile(filename, _MEDIA_TYPES[format], chunks(table, features))


def row(line: FeatureLine) -> dict[str, Any]:
    """One line as flat values; REST answers the same."""
    label = line.marks.label
    return {
        "feature": line.feature_id,
        "label": None if label is None else label.text,
        **{name: None if label is None else _plain(getattr(label, name)) for name in _LABEL[1:]},
        "n_labels": line.marks.n_labels,
        "starred": line.marks.is_starred,
        "skipped": line.marks.skipped,
        **line.statistics,
        "fires": line.fires,
        "top_tokens": list(line.top_tokens),
        "example": line.example,
        "promoted": list(line.promoted),
    }


def _plain(value: Any) -> Any:
    return value.value if hasattr(value, "value") else value


def _rows(table: Table, features: np.ndarray) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, max(len(features), 1), _ROWS):
        yield [row(line) for line in lines(table, features[first : first + _ROWS])]


def _schema(table: Table) -> pa.Schema:
    texts = ("label", "category", "notes", "source", "source_name", "author", "skipped", "example")
    kinds: dict[str, pa.DataType] = dict.fromkeys(texts, pa.string())
    kinds |= dict.fromkeys(WHOLE, pa.int64()) | {"starred": pa.bool_()}
    kinds |= dict.fromkeys(("top_tokens", "promoted"), pa.list_(pa.string()))
    return pa.schema([(name, kinds.get(name, pa.float64())) for name in columns(table)])


def columns(table: Table) -> list[str]:
    """The names of what `row` gives, in order."""
    asked = [name for name in table.asked if name != "fires"]
    before = ["feature", "label", *_LABEL[1:], "n_labels", "starred", "skipped"]
    return [*before, *OF_STORE, *OF_DECODER, *asked, "fires", "top_tokens", "example", "promoted"]


def _as_arrow(table: Table, features: np.ndarray) -> Iterator[bytes]:
    schema = _schema(table)
    batches = (pa.RecordBatch.from_pylist(rows, schema) for rows in _rows(table, features))
    return RecordStream(schema, batches).chunks()


def _as_csv(table: Table, features: np.ndarray) -> Iterator[bytes]:
    """RFC 4180, for spreadsheets too: no text is a formula, lists are JSON."""
    names = columns(table)
    yield _csv([names])
    for rows in _rows(table, features):
        yield _csv([[_cell(line[name]) for name in names] for line in rows])


def _csv(rows: list[list[Any]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    return csv_safe(value)


def _as_json(table: Table, features: np.ndarray) -> Iterator[bytes]:
    head = {"sae_id": table.basis.sae_id, "total": len(features)}
    yield json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "items": ['
    before = b"\n"
    for rows in _rows(table, features):
        for line in rows:
            yield before + json.dumps(line, ensure_ascii=False, allow_nan=False).encode()
            before = b",\n"
    yield b"\n]}\n"
