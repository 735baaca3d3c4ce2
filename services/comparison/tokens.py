"""Which tokens tell features apart: log-odds with an informative Dirichlet prior.

Monroe, Colaresi and Quinn, "Fightin' Words" (Political Analysis, 2008), with the corpus as prior:
docs/statistics.md has the formula.
"""

from __future__ import annotations

import numpy as np

PRIOR_TOKENS = 1000.0  # the weight of the corpus, in activations
LEAST_Z = 1.96


def log_odds_z(own: np.ndarray, others: np.ndarray, corpus: np.ndarray) -> np.ndarray:
    """z [v] of each token: how much likelier an activation of the one feature is at the token
    than one of the others.

    `own` and `others` [v] are activations by token, `corpus` [v] counted tokens. 0 for tokens
    that none of them fires on, or when there is nothing to compare.
    """
    own, others = own.astype(np.float64), others.astype(np.float64)
    fired = (own + others > 0) & (corpus > 0)
    z = np.zeros(len(own))
    if not own.sum() or not others.sum() or np.count_nonzero(corpus) < 2:
        return z
    prior = PRIOR_TOKENS * corpus[fired] / corpus.sum()
    odds = [
        np.log((y[fired] + prior) / (y.sum() + PRIOR_TOKENS - y[fired] - prior))
        for y in (own, others)
    ]
    variance = 1 / (own[fired] + prior) + 1 / (others[fired] + prior)
    z[fired] = (odds[0] - odds[1]) / np.sqrt(variance)
    return z


def strongest(z: np.ndarray, n: int) -> np.ndarray:
    """At most `n` tokens with the largest z, of those above 1.96; equal ones by number."""
    chosen = np.flatnonzero(z > LEAST_Z)
    return chosen[np.lexsort((chosen, -z[chosen]))][:n]
