"""UMAP of directions, from the exact nearest neighbours that the decoder table has.

umap-learn would look for approximate neighbours; the table's are exact, so they are given to it,
and the layout begins at the principal components, which are exact, too. With a fixed seed it
computes in one thread, and the same weights and options give the same map.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

Epoch = Callable[[int], None]
"""Told how many epochs are done; may raise to stop."""


def neighbour_graph(
    neighbours: np.ndarray, cosines: np.ndarray, features: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows [n, k] and distances [n, k] of the `k` nearest of each of `features`, itself first.

    `neighbours` [d_sae, m] are features, -1 where there are no more; distance is 1 - cosine.
    """
    row_of = np.full(len(neighbours), -1, np.int64)
    row_of[features] = np.arange(len(features))
    known = (neighbours[features] >= 0).sum(axis=1)
    k = min(k, 1 + int(known.min())) if len(known) else 1
    ids = np.empty((len(features), k), np.int64)
    distances = np.zeros((len(features), k), np.float32)
    ids[:, 0] = np.arange(len(features))
    ids[:, 1:] = row_of[neighbours[features, : k - 1]]
    distances[:, 1:] = np.maximum(1 - cosines[features, : k - 1], 0)
    return ids, distances


def umap_points(
    start: np.ndarray,
    ids: np.ndarray,
    distances: np.ndarray,
    *,
    min_dist: float,
    seed: int,
    epoch: Epoch = lambda done: None,
) -> np.ndarray:
    """Points [n, 2] float32; `start` [n, 2] is where the layout begins."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding
    random = np.random.RandomState(seed)
    graph, *_ = fuzzy_simplicial_set(
        start, ids.shape[1], random, "cosine", knn_indices=ids, knn_dists=distances
    )
    a, b = find_ab_params(1.0, min_dist)
    n_epochs = n_epochs_for(len(start))
    points, _ = simplicial_set_embedding(
        data=start, graph=graph, n_components=2, initial_alpha=1.0, a=a, b=b, gamma=1.0,
        negative_sample_rate=5, n_epochs=n_epochs, init=_spread(start, seed), random_state=random,
        metric="cosine", metric_kwds={}, densmap=False, densmap_kwds={}, output_dens=False,
        parallel=False, verbose=False,
        tqdm_kwds={"file": _Ticker(epoch), "mininterval": 0, "miniters": 1,
                   "bar_format": "{n_fmt}", "disable": False},
    )  # fmt: skip
    return np.asarray(points, np.float32)


def n_epochs_for(n: int) -> int:
    """As umap-learn chooses them."""
    return 500 if n <= 10_000 else 200


def _spread(points: np.ndarray, seed: int) -> np.ndarray:
    """Where the layout begins; an axis without extent gets one, or umap-learn divides by 0."""
    flat = np.ptp(points, axis=0) == 0
    noise = np.random.default_rng(seed).normal(size=points.shape)
    return np.where(flat, noise, points).astype(np.float32)


class _Ticker:
    """The only way umap-learn tells how far it is: what its progress bar writes. An exception
    raised from here ends the layout."""

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch

    def write(self, text: str) -> None:
        """The bar's text: the number of epochs that are done."""
        number = "".join(c for c in text if c.isdigit())
        if number:
            self._epoch(int(number))

    def flush(self) -> None:
        """Nothing is kept back."""
