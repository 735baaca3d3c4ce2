"""How texts begin: with BOS once, twice or not at all, and what its absence costs the SAE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from services.errors import ActiscopeError
from services.lm.prompts import render
from services.sae.preflight.evidence import BosFacts
from services.sae.preflight.passes import read
from services.sae.preflight.sums import Groups
from services.sae.preflight.text import Windows

if TYPE_CHECKING:
    from services.lm.language_model import LanguageModel
    from services.sae.decode import Decoder
    from services.sae.loader import Sae
    from services.sae.preflight.measure import Points

_WINDOWS = 2
_WORDS = "The cat sat on the mat."


def bos_facts(lm: LanguageModel) -> BosFacts:
    """What the tokenizer and the chat template put in front of a text."""
    bos = lm.tokenizer.bos_token_id
    if bos is None:
        return BosFacts(exists=False, is_added=False, doubled_by=None, loss_without=None)
    plain = lm.tokenizer(_WORDS)["input_ids"]
    doubled = "the tokenizer" if plain[:2] == [bos, bos] else None
    if doubled is None and lm.tokenizer.chat_template is not None and _in_chat(lm)[:2] == [bos] * 2:
        doubled = "the chat template"
    return BosFacts(True, bool(plain) and plain[0] == bos, doubled, None)


def _in_chat(lm: LanguageModel) -> list[int]:
    try:
        return render(lm, _WORDS, chat_template="on").token_ids
    except ActiscopeError:  # a template that wants more than one message; said when it is used
        return []


def loss_without_bos(
    lm: LanguageModel, sae: Sae, decoder: Decoder, points: Points, windows: Windows
) -> float | None:
    """Explained variance lost on a few windows when they begin without BOS.

    The first token is left out on both sides: without BOS it carries what BOS should.
    """
    if windows.first == 0 or points.target is None:
        return None
    rows = windows.rows[:_WINDOWS]
    first = windows.first + 1
    with_bos = _explained(lm, sae, decoder, points, (rows, first))
    without = _explained(lm, sae, decoder, points, ([row[windows.first :] for row in rows], 1))
    return with_bos - without if np.isfinite([with_bos, without]).all() else None


@torch.inference_mode()
def _explained(
    lm: LanguageModel,
    sae: Sae,
    decoder: Decoder,
    points: Points,
    text: tuple[Sequence[Sequence[int]], int],
) -> float:
    """Explained variance over token rows, each from a position on."""
    rows, first = text
    assert points.target is not None
    named = {"x": points.source, "y": points.target}
    groups: Groups | None = None
    for ids in rows:
        _, found = read(lm, ids, named)
        made = decoder.reconstruct(found["x"], sae.encode(found["x"]))
        y, again = (t[first:].cpu().double().numpy() for t in (found["y"], made))
        groups = groups or Groups.empty(1, y.shape[1])
        groups.add(np.zeros(len(y), np.int64), y, np.square(y - again).sum(1))
    return float("nan") if groups is None else float(1 - groups.unexplained()[0])
