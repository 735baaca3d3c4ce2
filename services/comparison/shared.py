"""Tokens at which several of the compared features fire strongly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.comparison.pairs import Fired


def shared_positions(
    fired: Sequence[Fired], firing: int, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions [m], scores [m] and values [m, n] at which at least `firing` of them fire.

    A token's score is the `firing`-th largest of the features' values there, each divided by the
    feature's own largest: that many of them reach at least this share of what they can. Largest
    scores first, equal ones by position.
    """
    places = [f.positions[f.values > 0] for f in fired]
    every = np.concatenate(places) if places else np.empty(0, np.uint32)
    positions, counts = np.unique(every, return_counts=True)
    positions = positions[counts >= firing]
    values = np.stack([f.at(positions) for f in fired], axis=1)
    tops = np.array([f.top or 1.0 for f in fired])
    scores = np.sort(values / tops, axis=1)[:, -firing]
    order = np.lexsort((positions, -scores))[:most]
    return positions[order], scores[order], values[order]
