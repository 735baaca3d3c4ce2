"""Activations as a large SAE has them, made quickly: Zipf-distributed features, and two whose
share of the tokens is known.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from services.store.batches import Batch

D_SAE = 16_384
PLANTED = {0: 0.05, 1: 0.25}  # feature: share of the tokens; of 2 million 100 k and 500 k

_DRAWS = 33  # of which 32 to 33 differ
_BATCH, _DOCUMENT = 8192, 256
_DEAD_SHARE = 0.05
_TABLE_BITS = 18


def batches(n_tokens: int, seed: int = 0) -> Iterator[Batch]:
    """`n_tokens` tokens in documents of 256, about 32 features each, values as of a ReLU SAE
    with a threshold.
    """
    lookup = _by_quantile()
    for start in range(0, n_tokens, _BATCH):
        rng = np.random.default_rng([seed, start])
        n = min(_BATCH, n_tokens - start)
        drawn = lookup[rng.integers(0, len(lookup), (n, _DRAWS), dtype=np.int32)]
        planted = [np.where(rng.random(n) < p, f, D_SAE) for f, p in PLANTED.items()]
        rows = np.sort(np.column_stack([drawn, *planted]).astype(np.uint16), axis=1)
        kept = rows < D_SAE
        kept[:, 1:] &= rows[:, 1:] != rows[:, :-1]
        features = rows[kept]
        values = np.exp(rng.standard_normal(len(features), np.float32) * 0.6) + np.float32(0.1)
        starts = (np.arange(start, start + n) % _DOCUMENT) == 0
        yield Batch(
            token_ids=rng.integers(0, 50_000, n, dtype=np.uint32),
            indptr=np.concatenate([[0], np.cumsum(kept.sum(1))]),
            features=features,
            values=values,
            starts=starts,
            documents=[{"source": "web" if i % 4 else "code"} for i in range(int(starts.sum()))],
            position=start,
        )


def _by_quantile() -> np.ndarray:
    """A feature for each quantile: drawing an index draws a feature by its popularity."""
    live = int(D_SAE * (1 - _DEAD_SHARE)) - len(PLANTED)
    weights = 1 / (np.arange(live) + 17.0)
    ends = np.cumsum(weights / weights.sum())
    ranks = np.searchsorted(ends, (np.arange(2**_TABLE_BITS) + 0.5) / 2**_TABLE_BITS)
    order = np.random.default_rng(0).permutation(live) + len(PLANTED)
    return order[np.minimum(ranks, live - 1)].astype(np.uint16)
