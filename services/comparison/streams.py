"""Whether two stores were read from the same tokens: only then can their activations be compared.

The corpus's hash, the packing and the budget must be the same, and then the tokens are: all of
them are compared, of very large stores evenly spaced stretches.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from services.store import ActivationStore
from services.stores.reading import Reading

_PACKING = {
    "context": "windows", "stride": "strides", "policy": "ways of packing",
    "bos_id": "tokens at the start of windows", "skip_bos": "ways of counting BOS",
    "skip_special": "ways of counting special tokens", "max_tokens": "token budgets",
    "sample_seed": "samples of documents",
}  # fmt: skip
_BLOCK = 2**20  # tokens compared at once
_MOST_BLOCKS = 64
_KEPT = 256


class Streams:
    """Compares stores, each pair of versions once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[frozenset[tuple[str, int]], str | None] = {}

    def difference(self, one: Reading, other: Reading) -> str | None:
        """Why the two have not the same tokens, in words; None where they have."""
        pair = frozenset((r.store_id, r.store.manifest.version) for r in (one, other))
        if len(pair) == 1:
            return None
        with self._lock:
            if pair in self._known:
                return self._known[pair]
        found = _difference(one.store, other.store)
        with self._lock:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[pair] = found
        return found


def stream_key(corpus_id: Any, plan: Any) -> tuple[Any, ...] | None:
    """What decides which tokens a store has; None where its origin does not say."""
    if not corpus_id or not isinstance(plan, Mapping):
        return None
    return (corpus_id, *(plan.get(name) for name in _PACKING))


def _difference(one: ActivationStore, other: ActivationStore) -> str | None:
    of_one, of_other = (s.spec.provenance for s in (one, other))
    if not of_one.get("corpus_hash") or not of_other.get("corpus_hash"):
        return "one of them does not say which corpus it was read from"
    if of_one["corpus_hash"] != of_other["corpus_hash"]:
        return "they were read from different corpora"
    plans = [_plan(provenance) for provenance in (of_one, of_other)]
    differing = [words for key, words in _PACKING.items() if plans[0].get(key) != plans[1].get(key)]
    if differing:
        return f"they were read with different {', '.join(differing)}"
    if (one.n_tokens, one.n_counted) != (other.n_tokens, other.n_counted):
        return "one of them has more tokens than the other: it is not complete yet"
    if not _same_tokens(one, other):
        return "their tokens differ: the models cut the text differently"
    return None


def _plan(provenance: Mapping[str, Any]) -> Mapping[str, Any]:
    plan = provenance.get("plan")
    return plan if isinstance(plan, Mapping) else {}


def _same_tokens(one: ActivationStore, other: ActivationStore) -> bool:
    n_blocks = -(-one.n_tokens // _BLOCK)
    chosen = np.unique(np.linspace(0, n_blocks - 1, min(n_blocks, _MOST_BLOCKS)).astype(int))
    for block in chosen.tolist():
        cut = (block * _BLOCK, min((block + 1) * _BLOCK, one.n_tokens))
        if not np.array_equal(one.token_ids(*cut), other.token_ids(*cut)):
            return False
    return True
