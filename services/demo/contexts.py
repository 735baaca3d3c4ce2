"""Where a feature fires most strongly: its top contexts, for a person to read."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import torch

from services.demo.batches import TokenIds
from services.demo.tokenizer import text_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BEFORE, AFTER = 10, 4


class Context(NamedTuple):
    """A token that a feature fires on, between «», with some tokens on either side."""

    activation: float
    text: str


def _around(tokenizer: PreTrainedTokenizerFast, window: list[int], position: int) -> str:
    pieces = (
        window[max(1, position - BEFORE) : position],
        window[position : position + 1],
        window[position + 1 : position + 1 + AFTER],
    )
    left, token, right = (text_of(tokenizer, piece).replace("\n", "↵") for piece in pieces)
    return f"{left}«{token}»{right}"


def top_contexts(
    tokenizer: PreTrainedTokenizerFast,
    windows: TokenIds,
    activations: torch.Tensor,
    limit: int,
) -> list[Context]:
    """The strongest tokens of one feature, at most one per window, strongest first.

    `activations [n_windows * (pos - 1)]` belong to the tokens of `windows [n_windows, pos]`
    without `<bos>`.
    """
    per_window = activations.float().reshape(len(windows), -1)
    values, positions = per_window.max(1)
    contexts: list[Context] = []
    for row in values.argsort(descending=True).tolist():
        if len(contexts) == limit or values[row] <= 0:
            break
        text = _around(tokenizer, windows[row].tolist(), int(positions[row]) + 1)
        if all(text != seen.text for seen in contexts):
            contexts.append(Context(values[row].item(), text))
    return contexts


def random_features(density: torch.Tensor, count: int, seed: int = 0) -> list[int]:
    """Features drawn without looking, among those active on 0.01 % to 5 % of the tokens."""
    eligible = ((density > 1e-4) & (density < 0.05)).nonzero().flatten().tolist()
    return sorted(random.Random(seed).sample(eligible, min(count, len(eligible))))
