"""Untrusted text, made storable at the border.

PostgreSQL refuses U+0000, and neither database takes a lone surrogate; both are replaced here by
visible stand-ins so that an accepted text reads back the same from either database.
"""

from __future__ import annotations

_NUL_SYMBOL = "\u2400"
_REPLACEMENT = "\ufffd"


def storable(text: str) -> str:
    """`text` with U+0000 shown as U+2400 and each lone surrogate as U+FFFD."""
    text = text.replace("\x00", _NUL_SYMBOL)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = "".join(_REPLACEMENT if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def preview(text: str, limit: int = 160) -> str:
    """The first `limit` characters on one line, with an ellipsis when something is left out."""
    line = " ".join(text[: limit * 4].split())
    return line if len(line) <= limit and len(text) <= limit * 4 else line[: limit - 1] + "…"
