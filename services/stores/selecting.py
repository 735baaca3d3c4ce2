"""What a query selects, in the types that a store's columns have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.errors import InvalidArgument
from services.store import Selection, StoreSpec
from services.stores.filters import Selecting, Where

_INT64 = 2**63


def selection(query: Selecting, spec: StoreSpec) -> Selection:
    """The query as the store understands it."""
    return Selection(query.min_value, query.max_value, where(query.columns, spec))


def where(columns: Where | None, spec: StoreSpec) -> Where | None:
    """The filter with each value in its column's type.

    Raises:
        InvalidArgument: there is no such column, or a value is none of its type.
    """
    if columns is None:
        return None
    kinds = {"name": "string", **spec.metadata}
    found: dict[str, Any] = {}
    for column, asked in columns.items():
        if column not in kinds:
            raise InvalidArgument(
                f"documents have no column {column[:100]!r}: there are {', '.join(kinds)}",
                columns=list(kinds),
            )
        values = asked if isinstance(asked, list) else [asked]
        found[column] = [_typed(column, value, kinds[column]) for value in values]
    return found


def _typed(column: str, value: Any, kind: str) -> Any:
    if value is None:
        return None
    try:
        return _TYPES[kind](value)
    except (ValueError, TypeError, KeyError, OverflowError):
        text = str(value)[:100]
        raise InvalidArgument(f"column {column}: {text!r} is no {kind}", column=column) from None


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _int64(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError
    number = int(value)
    if not -_INT64 <= number < _INT64:
        raise ValueError
    return number


def _float64(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _bool(value: Any) -> bool:
    return {"true": True, "false": False}[str(value).lower()]


_TYPES: Mapping[str, Callable[[Any], Any]] = {
    "string": _string,
    "int64": _int64,
    "float64": _float64,
    "bool": _bool,
}
