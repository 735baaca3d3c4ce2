"""Columns of metadata: their types, found over the whole source, and their names."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

RESERVED = frozenset({"document", "start", "n_tokens", "n_counted", "name", "text"})
"""Columns that documents have anyway, here or in a store."""

MOST_COLUMNS, LONGEST_NAME = 200, 200

_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_MOST_DIGITS = 19
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BOOLS = {"true": True, "false": False, "True": True, "False": False}
_EXACT = 2**53  # integers up to here are floats as well


@dataclass
class Columns:
    """What values the columns of a source have, in the order in which columns were met.

    With `is_textual` all values are text, and are taken for numbers or booleans when all are.
    """

    is_textual: bool = False
    wanted: Collection[str] | None = None
    kinds: dict[str, set[str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def take(self, values: Mapping[str, Any], but: Collection[str]) -> dict[str, Any]:
        """Those values that may be kept, apart from the columns `but`."""
        return {name: v for name, v in values.items() if name not in but and self._see(name, v)}

    def _see(self, name: str, value: Any) -> bool:
        if self.wanted is not None and name not in self.wanted:
            return False
        if name not in self.kinds and not self._begin(name):
            return False
        kind = kind_of(value, self.is_textual)
        if kind == "bytes":
            self._leave(name, "it holds bytes")
            return False
        if kind is not None:
            self.kinds[name].add(kind)
        return kind is not None

    def _begin(self, name: str) -> bool:
        if len(name) > LONGEST_NAME:
            self._leave(name[:LONGEST_NAME] + "…", f"more than {LONGEST_NAME} characters long")
        elif len(self.kinds) >= MOST_COLUMNS:
            self._leave(name, f"there are more than {MOST_COLUMNS} columns: choose some")
        else:
            self.kinds[name] = set()
        return name in self.kinds

    def _leave(self, name: str, reason: str) -> None:
        if len(self.left_out) < MOST_COLUMNS:
            self.left_out.setdefault(name, reason)

    def settled(self) -> dict[str, str]:
        """The columns that are kept, with their types; why others are not is in `left_out`."""
        types = {}
        for name, kinds in self.kinds.items():
            if name in self.left_out:
                continue
            if not kinds:
                self._leave(name, "it is always empty")
            elif "nested" in kinds and self.wanted is None:
                self._leave(name, "it holds lists or objects; named, it is kept as JSON text")
            else:
                types[name] = _type_of(kinds)
        return types


def kind_of(value: Any, is_textual: bool = False) -> str | None:
    """bool, int, large (an integer that no float64 is), float, string, nested, bytes; None for
    what says nothing: null, NaN, and an empty field of a CSV file.
    """
    if is_textual and isinstance(value, str):
        return _kind_of_text(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return _kind_of_int(value)
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    return "nested" if _is_json(value) else "bytes"


def names_of(columns: Iterable[str]) -> dict[str, str]:
    """What each column is called here: as in the source, unless the name is taken."""
    columns = list(columns)
    taken, names = set(columns) | RESERVED, {}
    for column in columns:
        name = column
        while name in RESERVED or not name or (name != column and name in taken):
            name += "_"
        taken.add(name)
        names[column] = name
    return names


def converted(value: Any, type_name: str, is_textual: bool = False) -> Any:
    """A value that was seen, as its column's type has it."""
    if value is None or kind_of(value, is_textual) is None:
        return None
    if type_name == "string":
        return as_text(value)
    if type_name == "bool":
        return _BOOLS[value] if isinstance(value, str) else value
    return int(value) if type_name == "int64" else float(value)


def as_text(value: Any) -> str:
    """A value as text: what is no text as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _type_of(kinds: set[str]) -> str:
    if kinds == {"bool"}:
        return "bool"
    if kinds <= {"int", "large"}:
        return "int64"
    return "float64" if kinds <= {"int", "float"} else "string"


def _kind_of_int(value: int) -> str:
    if abs(value) <= _EXACT:
        return "int"
    return "large" if -(2**63) <= value < 2**63 else "string"


def _kind_of_text(text: str) -> str | None:
    if not text:
        return None
    if text in _BOOLS:
        return "bool"
    if _INT.fullmatch(text):
        return _kind_of_int(int(text)) if len(text) <= _MOST_DIGITS + 1 else "string"
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return "float"
    return "string"


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_json(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | int | float)
