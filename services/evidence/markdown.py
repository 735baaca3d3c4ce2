"""Markdown that untrusted text cannot break: what it is made of, and what becomes of the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from services.types.features import EvidenceExample

_SHOWN = {"\n": "⏎", "\r": "␍", "\t": "⇥"}
# What begins a span, a link or an entity within a line; the colon and the dot are those of
# addresses, which become links by themselves. Text is never put at the beginning of a line.
_SPECIAL = re.compile(r"([\\`*_\[\]<>#~&$@^]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def shown(text: str) -> str:
    """`text` on one line, without anything that a terminal or an editor would obey."""
    return "".join(_SHOWN.get(c) or (c if c.isprintable() else _escaped(c)) for c in text)


def code(text: str) -> str:
    """`text` as a code span, in a table or out of it."""
    inner = shown(text)
    if not inner.strip(" "):  # blanks alone would be lost, or have some added
        inner = "␣" * max(len(inner), 1)
    fence = "`" * (max((len(run) for run in re.findall("`+", inner)), default=0) + 1)
    # One blank on each side is taken off again; without it text may not begin with a backtick.
    pad = " " if inner[0] in "` " or inner[-1] in "` " else ""
    return f"{fence}{pad}{inner}{pad}{fence}"


def plain(text: str) -> str:
    """`text` as text, whatever it spells: every character that could mean something is escaped."""
    # A table ends a cell at a bar, now and then also at an escaped one.
    return _SPECIAL.sub(r"\\\1", shown(text)).replace("|", "&#124;")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: str = "") -> list[str]:
    """The lines of a table of ready cells; columns whose letter in `right` is `r` to the right."""
    # Ready text has no bars; in a code span nothing could stand for one.
    lines = [[cell.replace("|", "¦") for cell in row] for row in rows]
    marks = ["--:" if right[i : i + 1] == "r" else "---" for i in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (list(head), marks, *lines)] + [""]


def marked(found: EvidenceExample) -> str:
    """The text with ⟦ ⟧ around the token; around a whole character that it is only a part of."""
    context = found.example.context
    pieces = context.pieces or tuple(f"[{i}]" for i in context.token_ids)
    first = last = context.position - context.start
    while last + 1 < len(pieces) and not pieces[last]:
        last += 1
    inside = "".join(pieces[first : last + 1])
    return f"{''.join(pieces[:first])}⟦{inside}⟧{''.join(pieces[last + 1 :])}"


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
