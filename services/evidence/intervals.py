"""Equal parts of the range of a feature's activations, each with examples and their tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from services.evidence.choosing import page, within
from services.evidence.contexts import Contexts
from services.evidence.requests import IntervalsQuery
from services.store import Activations
from services.stores.reading import Reading
from services.types.features import EvidenceExample, EvidenceInterval, ScoredToken

Scorer = Callable[[Sequence[EvidenceExample], int], tuple[ScoredToken, ...]]

_SEED = 0


def edges(found: Activations, n: int) -> np.ndarray:
    """`n` + 1 edges from the smallest activation or 0 to the largest or 0, as the histogram's."""
    if not len(found):
        return np.empty(0)
    low = min(float(found.values.min()), 0.0)
    high = max(float(found.values.max()), 0.0)
    made = low + (high - low) * np.arange(n + 1) / n
    made[-1] = high  # where rounding would leave the largest activation out
    return made


def intervals(
    reading: Reading, query: IntervalsQuery, contexts: Contexts, score: Scorer
) -> tuple[EvidenceInterval, ...]:
    """The strongest first. Examples are drawn at random from all of the interval's activations,
    the same ones every time, and shown by strength.
    """
    found = reading.store.feature(query.feature_id)
    at = edges(found, query.n_intervals).tolist()
    bounds = list(pairwise(at))
    return tuple(_interval(reading, found, b, query, contexts, score) for b in reversed(bounds))


def _interval(
    reading: Reading,
    found: Activations,
    bounds: tuple[float, float],
    query: IntervalsQuery,
    contexts: Contexts,
    score: Scorer,
) -> EvidenceInterval:
    drawn = page(found, within(found, *bounds), "random", _SEED, query.per_interval, None)
    order = np.lexsort((drawn.positions, -drawn.values))
    shown = (drawn.positions[order], drawn.values[order])
    examples = contexts.examples(reading, found, *shown, query.width)
    return EvidenceInterval(*bounds, drawn.total, examples, score(examples, query.tokens))
