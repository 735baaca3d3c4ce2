"""Documents drawn at random for a token budget: the same ones for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from services.corpus.packing import n_kept
from services.corpus.tokenised import token_ids
from services.extraction.plan import Plan

if TYPE_CHECKING:
    from services.corpus.reading import Corpus

_MEASURED = 64  # documents whose tokens are counted
_MARGIN = 1.02  # what is drawn too much is cut off, what is missing is not found again


def drawn(corpus: Corpus, tokenizer: Any, plan: Plan) -> np.ndarray | None:
    """Which documents are read, [n_documents] bool; None for all of them, from the first on.

    They are taken in random order until their estimated tokens reach the budget, and read in the
    order of the corpus; the budget cuts the last of them.
    """
    if plan.sample_seed is None or plan.max_tokens is None:
        return None
    lengths = corpus.lengths()
    order = np.random.default_rng(plan.sample_seed).permutation(len(lengths))
    rate = _tokens_per_char(corpus, tokenizer, plan, lengths, order[:_MEASURED])
    tokens = np.where(lengths > 0, lengths * rate, 0)[order]
    enough = int(np.searchsorted(np.cumsum(tokens), plan.max_tokens * _MARGIN)) + 1
    chosen = np.zeros(len(lengths), bool)
    chosen[order[:enough]] = True
    return chosen


def _tokens_per_char(
    corpus: Corpus, tokenizer: Any, plan: Plan, lengths: np.ndarray, some: np.ndarray
) -> float:
    chosen = np.zeros(len(lengths), bool)
    chosen[some] = True
    texts = [document.text for document in corpus.documents(chosen=chosen)]
    kept = sum(n_kept(len(ids), plan.cut) for ids in token_ids(tokenizer, texts, plan.cut))
    return max(kept, 1) / max(int(lengths[some].sum()), 1)
