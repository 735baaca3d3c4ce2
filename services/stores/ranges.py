"""Bounds of columns as an address spells them: `token_density:0.001..0.1,n:100..`."""

from __future__ import annotations

import math
from collections.abc import Collection

Range = tuple[str, float | None, float | None]  # column, least, greatest; both included


def parse_ranges(text: str | None, columns: Collection[str]) -> tuple[Range, ...]:
    """The bounds of each column; ValueError says which piece is none, or names no column."""
    return tuple(_range(piece, columns) for piece in text.split(",")) if text else ()


def _range(text: str, columns: Collection[str]) -> Range:
    column, _, bounds = text.strip().partition(":")
    low, dots, high = bounds.partition("..")
    if column not in columns or not dots:
        raise ValueError(
            f"{text[:100]!r} is not column:low..high, with a column of {', '.join(columns)}"
        )
    least, greatest = _bound(low), _bound(high)
    if least is not None and greatest is not None and least > greatest:
        raise ValueError(
            f"no {column} is from {low.strip()} to {high.strip()}: the first is larger"
        )
    return column, least, greatest


def _bound(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"the bound {text[:40]!r} is not a number")
    return value
