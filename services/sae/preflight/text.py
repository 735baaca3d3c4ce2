"""The text that is read: a slice written for this project, cut into windows of tokens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from services.lm.language_model import LanguageModel

WINDOW = 256  # tokens, BOS included, where the model reads that many
TOKEN_LIMIT = 4096
_TOKENS_MIN = 512
_WINDOW_MIN = 16
_CPU_FLOPS = 3e13  # three to five minutes on a few cores


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of token ids; `first` is the position of the first token that is no BOS."""

    rows: tuple[tuple[int, ...], ...]
    first: int

    @property
    def n_tokens(self) -> int:
        """Tokens in all windows, BOS included."""
        return sum(map(len, self.rows))

    @property
    def length(self) -> int:
        """Positions of the longest window."""
        return max(map(len, self.rows), default=0)


@cache
def slice_text() -> str:
    """The text: small stories, facts, letters, dialogue and Python."""
    return (Path(__file__).parent / "text.txt").read_text(encoding="utf-8")


@cache
def slice_sha256() -> str:
    """What identifies the text."""
    return hashlib.sha256(slice_text().encode()).hexdigest()


def cut_windows(lm: LanguageModel, bos_id: int | None, limit: int) -> Windows:
    """Up to `limit` tokens of the slice in windows spread evenly over it, each after `bos_id`."""
    ids = lm.tokenizer(slice_text(), add_special_tokens=False, verbose=False)["input_ids"]
    start = [] if bos_id is None else [bos_id]
    length = min(lm.n_ctx, WINDOW)
    body = max(1, length - len(start))
    rows = [tuple(start + ids[at : at + body]) for at in range(0, len(ids), body)]
    rows = [row for row in rows if len(row) >= min(_WINDOW_MIN, length)]
    wanted = max(1, limit // length)
    chosen = np.linspace(0, len(rows) - 1, min(wanted, len(rows))).round().astype(int)
    return Windows(tuple(rows[at] for at in chosen), len(start))


def token_limit(lm: LanguageModel) -> int:
    """Tokens to read: fewer with a large model on a CPU, which needs three passes over each."""
    if lm.device.type != "cpu":
        return TOKEN_LIMIT
    affordable = _CPU_FLOPS / (3 * 2 * max(lm.info.n_params or 1, 1))
    return int(min(TOKEN_LIMIT, max(_TOKENS_MIN, affordable)))
