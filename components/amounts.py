"""Amounts as a reader wants them: bytes, counts, measured numbers, shares, durations."""

from __future__ import annotations

from math import isfinite

from services.types import RUNS_COUNTED
from services.types.jobs import unit_word

UNKNOWN = "–"
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def bytes_text(n: float | None) -> str:
    """A size in decimal units with three significant figures; a dash when unknown."""
    if n is None:
        return UNKNOWN
    size, unit = float(n), 0
    while abs(size) >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} bytes" if unit == 0 else f"{_three(size)} {_UNITS[unit]}"


def count_text(n: int | None) -> str:
    """A whole number with separators; a dash when unknown."""
    return UNKNOWN if n is None else f"{n:,}"


def runs_text(n: int) -> str:
    """How many stored runs: from RUNS_COUNTED on they are not counted."""
    return f"{RUNS_COUNTED:,}+" if n >= RUNS_COUNTED else f"{n:,}"


def short_count(n: int | None) -> str:
    """A large number in few characters: 124 M parameters."""
    if n is None:
        return UNKNOWN
    for size, unit in ((1_000_000_000, " B"), (1_000_000, " M"), (10_000, " k")):
        if n >= size:
            return f"{_three(n / (1000 if size == 10_000 else size))}{unit}"
    return f"{n:,}"


def number_text(value: float | None) -> str:
    """A measured number with three significant figures; what is not a number says so."""
    if value is None:
        return UNKNOWN
    if not isfinite(value):
        return "not finite"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return _three(value)
    return f"{value:.2e}"


def share_text(value: float | None) -> str:
    """A share of one as a percentage."""
    if value is None or not isfinite(value):
        return number_text(value)
    return f"{_three(100 * value)} %"


def seconds_text(seconds: float) -> str:
    """A time to wait, no finer than a reader cares for."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def units_text(n: int | None, unit: str) -> str:
    """So many of a unit; bytes as a size, nothing when unknown."""
    if n is None:
        return ""
    return bytes_text(n) if unit == "bytes" else f"{n:,} {unit_word(n, unit)}".rstrip()


def pace_text(per_s: float, unit: str) -> str:
    """So many of a unit in a second."""
    if unit == "bytes":
        return f"{bytes_text(per_s)}/s"
    number = f"{per_s:,.0f}" if per_s >= 9.95 else f"{per_s:.2g}"
    return f"{number} {unit}/s".replace(" /s", "/s")


def _three(value: float) -> str:
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 9.995 else f"{value:.3g}"
