"""Column types that hold the same values on SQLite and PostgreSQL, or refuse them with a reason.

Without them the two differ in silence: SQLite stores `np.int64` as bytes, NaN as NULL, drops the
offset of a time, and keeps U+0000, which PostgreSQL refuses.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, LargeBinary, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

Json = JSON(none_as_null=True)  # JSON, not JSONB: the text reads back as written; see `dumps`
Blob = LargeBinary


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, read back in UTC: timestamptz, on SQLite integer microseconds.

    Integers compare as times do; SQLite's own text form would order by its spelling.
    """

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type on `dialect`."""
        return BigInteger() if dialect.name == "sqlite" else TIMESTAMP(timezone=True)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """`value` as the driver takes it; ValueError when it has no time zone."""
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise ValueError(f"a time must be a datetime with its zone, not {value!r}")
        return microseconds(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The stored time in UTC."""
        if value is None:
            return None
        time: datetime = _EPOCH + value * _MICROSECOND if dialect.name == "sqlite" else value
        return time.astimezone(UTC)


def microseconds(time: datetime) -> int:
    """Microseconds from 1970 to the aware `time`."""
    return (time - _EPOCH) // _MICROSECOND


class SafeText(TypeDecorator[str]):
    """Text without U+0000 and lone surrogates, which not both databases can store.

    `exact` compares by code point on PostgreSQL too, as SQLite does: for ids.
    """

    impl = Text
    cache_ok = True

    def __init__(self, exact: bool = False) -> None:
        super().__init__()
        self.exact = exact

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type on `dialect`."""
        return Text(collation="C" if self.exact and dialect.name == "postgresql" else None)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """`value` as a plain str; ValueError when it cannot be stored."""
        return None if value is None else require_storable(value)


def require_storable(value: str) -> str:
    """`value` as a plain str.

    Raises:
        ValueError: it is no text, or holds U+0000 or a lone surrogate.
    """
    if not isinstance(value, str):
        raise ValueError(f"text is expected, not {type(value).__name__}")
    if "\x00" in value:
        raise ValueError(f"U+0000 at character {value.index(chr(0))} cannot be stored")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"lone surrogate at character {error.start} cannot be stored") from None
    return str(value)


class Int(TypeDecorator[int]):
    """A 64-bit integer that is a Python `int`: SQLite stores a numpy one as its bytes."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        """`value`; ValueError for bool, numpy integers and what 64 bits cannot hold."""
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"an int is expected, not {type(value).__name__} {value!r}")
        if not -(2**63) <= value < 2**63:
            raise ValueError("the integer does not fit into 64 bits")
        return int(value)


def dumps(value: Any) -> str:
    """`value` as JSON text that both databases read back equal; the engine's serializer.

    Raises:
        ValueError: NaN, an infinity, U+0000, a lone surrogate, or what JSON has no word for.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except TypeError as error:
        raise ValueError(f"not JSON: {error}") from None
    if "\\u0000" in text and _ESCAPED_NUL.search(text):
        raise ValueError("U+0000 inside JSON cannot be stored")
    return require_storable(text)
