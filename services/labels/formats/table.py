"""CSV: ours, which carries everything, and any other with a column of features and one of texts.

Ours may be opened in a spreadsheet: a text that it would take for a formula is prefixed by an
apostrophe, as in all exports; and because a text may begin so by itself, one that would read as
prefixed gets one more. Reading takes one away again, so every text comes back as it was.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from db.label_records import LabelRecord
from services.errors import InvalidArgument
from services.labels.formats import native
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
    parse_json,
)
from services.runs.export import csv_safe
from services.types.labels import LabelSource

FORMAT = "csv"

COLUMNS = (
    "feature_id", "label", "category", "notes", "confidence", "source", "source_name", "author",
    "created_at", "updated_at", "is_chosen", "is_starred", "skip_reason", "skipped_by", "extra",
)  # fmt: skip
_TEXTS = ("label", "category", "notes", "source_name", "author", "skip_reason", "skipped_by")
_FEATURE = ("feature_id", "feature", "index", "neuron_index", "feature_index", "neuron", "id")
_TEXT = ("label", "description", "name", "display_name", "text", "explanation", "title")
_OTHERS = ("category", "notes", "confidence")
_MAX_CELL = 2**24
_APOSTROPHES = re.compile("'+")

csv.field_size_limit(_MAX_CELL)


def read(text: str) -> LabelFile:
    """The text as a table.

    Raises:
        InvalidArgument: it has no columns of features and labels.
    """
    delimiter = _delimiter(text)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise InvalidArgument(f"line 1: {error}") from None
    lower = [name.lower() for name in header]
    feature = next((lower.index(name) for name in _FEATURE if name in lower), None)
    label = next((lower.index(name) for name in _TEXT if name in lower), None)
    if feature is None or label is None:
        raise InvalidArgument(
            "this is no file of labels: a CSV needs a header with a column of features "
            f"({', '.join(_FEATURE[:3])}) and one of labels ({', '.join(_TEXT[:3])})"
        )
    if len(set(lower)) < len(lower):
        raise InvalidArgument("two columns of the CSV have the same name")
    if header == list(COLUMNS):
        return LabelFile(FORMAT, _entries(rows, len(header), _read_ours))
    return LabelFile(
        FORMAT, _entries(rows, len(header), partial(_read_other, header, feature, label))
    )


def _delimiter(text: str) -> str:
    head = text[: text.find("\n")] if "\n" in text else text
    return max(",;\t", key=lambda mark: (head.count(mark), mark == ","))


def _entries(rows: Any, width: int, read_row: Any) -> Iterator[Entry]:
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Entry(f"line {rows.line_num}", partial(_refuse, str(error)))
            continue
        if not any(row):
            continue
        place = f"line {rows.line_num}"
        if len(row) != width:
            yield Entry(place, partial(_refuse, f"it has {len(row)} cells, the header {width}"))
        else:
            yield Entry(place, partial(read_row, row))


def _refuse(reason: str) -> list[ReadLabel | ReadMarks]:
    raise Malformed(reason)


def _read_ours(row: list[str]) -> list[ReadLabel | ReadMarks]:
    cells: Record = dict(zip(COLUMNS, row, strict=True))
    for name in _TEXTS:
        cells[name] = unescaped(cells[name])
    feature_id = feature_number(cells["feature_id"])
    for name in ("is_chosen", "is_starred"):
        cells[name] = _flag(cells[name])
    found: list[ReadLabel | ReadMarks] = [*native.read_marks(feature_id, cells)]
    if cells["label"]:
        record = {name: value for name, value in cells.items() if value != ""}
        record["text"] = cells["label"]
        record["confidence"] = _number(cells["confidence"])
        record["extra"] = _json(cells["extra"]) if cells["extra"] else None
        found.append(native.read_label(feature_id, record))
    return found


def _read_other(header: list[str], feature: int, label: int, row: list[str]) -> list[ReadLabel]:
    named = {name.lower(): i for i, name in enumerate(header)}
    ours = {name: row[named[name]] for name in _OTHERS if name in named}
    used = {feature, label, *(named[name] for name in ours)}
    extra = {header[i]: clean(cell) for i, cell in enumerate(row) if i not in used and cell}
    made = new_label(
        text=row[label],
        category=ours.get("category"),
        notes=ours.get("notes", ""),
        confidence=_number(ours.get("confidence", "")),
        source=LabelSource.IMPORTED,
        source_name=FORMAT,
    )
    return [ReadLabel(feature_number(row[feature].strip()), made, extra or None)]


def _number(cell: str) -> float | None:
    if not cell:
        return None
    try:
        return float(cell)
    except ValueError:
        raise Malformed(f"{cell[:40]!r} is no number") from None


def _flag(cell: str) -> bool:
    if cell.lower() not in ("true", "false", ""):
        raise Malformed(f"{cell[:40]!r} is neither true nor false")
    return cell.lower() == "true"


def _json(cell: str) -> Any:
    try:
        return clean(parse_json(cell))
    except ValueError as error:
        raise Malformed(f"extra is not JSON: {error}") from None


def escaped(text: str) -> str:
    """`text` as no spreadsheet takes it for a formula."""
    return "'" + text if _is_prefixed("'" + text) else text


def unescaped(cell: str) -> str:
    """The text that `escaped` made the cell of."""
    return cell[1:] if _is_prefixed(cell) else cell


def _is_prefixed(cell: str) -> bool:
    """Whether there are apostrophes before what would be a formula."""
    found = _APOSTROPHES.match(cell)
    return found is not None and csv_safe(cell[found.end() :]) != cell[found.end() :]


def write(what: Written) -> bytes:
    """One line per label, and one for each feature with marks alone."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    labelled = {label.feature_id for label in what.labels}
    bare = sorted(what.marks.keys() - labelled)
    lines = [(x.feature_id, x) for x in what.labels] + [(id, None) for id in bare]
    for feature_id, label in sorted(lines, key=lambda line: line[0]):
        writer.writerow(_row(what, feature_id, label))
    return out.getvalue().encode()


def _row(what: Written, feature_id: int, label: LabelRecord | None) -> list[str]:
    cells: Record = dict.fromkeys(COLUMNS)
    if label is not None:
        record = native.label_record(what, label)
        cells |= record | {"label": record["text"]}
        cells["extra"] = None if label.extra is None else dump(dict(label.extra), None)
    marks = what.marks.get(feature_id)
    cells |= {"feature_id": feature_id, "is_starred": marks is not None and marks.is_starred}
    if marks is not None:
        cells |= {"skip_reason": marks.skip_reason, "skipped_by": marks.skipped_by}
    return [_cell(name, cells[name]) for name in COLUMNS]


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return escaped(str(value)) if name in _TEXTS else str(value)
