"""Text for terminals: hostile tokens made harmless, a strip of coloured tokens, plain tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from services.types import FeatureTimeline, RunView

# Evenly spaced steps from dark violet to yellow of the 256-colour palette, each with the colour of
# text that can be read on it. The weakest tokens have no colour.
_SCALE = ((54, 231), (60, 231), (66, 16), (72, 16), (113, 16), (184, 16), (226, 16))
_RESET = "\x1b[0m"
_DIM = "\x1b[2m"
_VISIBLE = 0.05  # part of the strongest activation below which a token stays plain


def printable(text: str, *, newline: str = "⏎\n") -> str:
    r"""`text` without anything that a terminal would obey; control characters become \xNN."""
    return "".join(c if c.isprintable() else newline if c == "\n" else _escaped(c) for c in text)


def strip(view: RunView, timeline: FeatureTimeline | None, *, colour: bool) -> str:
    """The run's tokens, each on the colour of its strongest feature; special ones dimmed."""
    values = _strongest(timeline, len(view.tokens))
    top = max((v for v, t in zip(values, view.tokens, strict=True) if not t.is_special), default=0)
    painted = []
    for token, value in zip(view.tokens, values, strict=True):
        text = printable(token.text)
        if not colour:
            painted.append(text)
        elif token.is_special:
            painted.append(f"{_DIM}{text}{_RESET}")
        else:
            painted.append(paint(text, value / top if top else 0))
    return "".join(painted)


def paint(text: str, strength: float) -> str:
    """`text` on the colour of `strength` (0 to 1), line by line."""
    if strength < _VISIBLE:
        return text
    back, front = _SCALE[min(int(strength * len(_SCALE)), len(_SCALE) - 1)]
    start = f"\x1b[48;5;{back}m\x1b[38;5;{front}m"
    # A colour that crosses a line break paints the rest of the terminal's line.
    return "\n".join(f"{start}{line}{_RESET}" if line else "" for line in text.split("\n"))


def table(head: Sequence[str], rows: Sequence[Sequence[object]], *, right: str = "") -> str:
    """Columns aligned by their longest cell; those whose letter in `right` is `r` to the right."""
    cells = [[printable(str(c), newline=" ") for c in row] for row in rows]
    widths = [max(len(r[i]) for r in [list(head), *cells]) for i in range(len(head))]
    to_right = [right[i : i + 1] == "r" for i in range(len(head))]
    return "\n".join(
        "  ".join(
            c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, to_right, strict=True)
        ).rstrip()
        for row in [list(head), *cells]
    )


def wants_colour(no_color: str | None) -> bool:
    """Whether to paint: standard output is a terminal, and NO_COLOR is not set."""
    return not no_color and sys.stdout.isatty()


def _strongest(timeline: FeatureTimeline | None, n: int) -> list[float]:
    if timeline is None or timeline.activations.shape[1] == 0:
        return [0.0] * n
    values = [abs(float(v)) for v in timeline.activations[:, 0]]
    return (values + [0.0] * n)[:n]


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
