"""Text of tokens as it can be shown: what hides or reorders text is written as signs."""

from __future__ import annotations

import re
from html import escape

# as in assets/actiscope_tokens.js: controls, soft hyphen, bidirectional marks, zero width
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_SIGNS = {"\n": "⏎", "\r": "␍", "\t": "⇥"}
_TOKEN_CHARS = 16


def token_label(position: int, text: str) -> str:
    """`12 ·cat`: unique along the run, safe for Plotly, short."""
    text = visible(text)
    short = text if len(text) <= _TOKEN_CHARS else text[: _TOKEN_CHARS - 1] + "…"
    return f"{position} {in_figure(short)}"


def in_figure(text: str) -> str:
    """Text that Plotly draws as it is; it knows no `&quot;` and would draw one letter by letter."""
    return escape(text, quote=False)


def visible(text: str) -> str:
    """Token text with outer spaces, and all that `readable` replaces, shown by signs."""
    inner = text.strip(" ")
    left = len(text) - len(text.lstrip(" "))
    right = len(text) - left - len(inner) if inner else 0
    return readable("·" * left + inner + "·" * right)


def readable(text: str) -> str:
    """Running text with the characters that hide or reorder text shown by signs."""
    return _HIDDEN.sub(lambda match: _sign(match[0]), text)


def _sign(character: str) -> str:
    code = ord(character)
    return _SIGNS.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
