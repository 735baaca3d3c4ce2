"""PageRank of the tokens around a feature's activations.

The graph is undirected: its nodes are the tokens of the contexts, special ones left out; an edge
weighs the sum, over the contexts that have both tokens, of the activations they are around.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from services.evidence.choosing import hashes
from services.store import Activations
from services.store.values import widened
from services.stores.contexts import token_names
from services.stores.reading import Reading
from services.types.features import ScoredToken

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DAMPING = 0.85
_SEED = 0
_AT_ONCE = 2**14  # contexts
_ENOUGH, _MOST_STEPS = 1e-13, 1000


def ranked(
    reading: Reading, found: Activations, width: int, most: int, limit: int
) -> tuple[tuple[ScoredToken, ...], int]:
    """The `limit` tokens with the largest rank, and how many contexts the graph is made of: all
    with a positive activation, or `most` of them at random, the same ones every time.
    """
    at = np.flatnonzero(found.values > 0)
    if most and len(at) > most:
        at = np.sort(at[np.argsort(hashes(found.positions[at], _SEED))[:most]])
    if not len(at):
        return (), 0
    graph, contexts = _graph(reading, found, at, width)
    nodes = np.flatnonzero(contexts)
    rank = page_rank(graph[nodes][:, nodes])
    order = np.lexsort((nodes, -rank))[:limit]
    ids = nodes[order]
    columns = (
        ids.tolist(),
        token_names(reading, ids),
        rank[order].tolist(),
        contexts[ids].tolist(),
    )
    return tuple(ScoredToken(*row) for row in zip(*columns, strict=True)), len(at)


def page_rank(graph: csr_array) -> np.ndarray:
    """The stationary distribution [n], as `networkx.pagerank(weight=…)` has it in the limit."""
    n = graph.shape[0]
    out = np.asarray(graph.sum(axis=1)).ravel()
    scale = np.divide(1.0, out, out=np.zeros(n), where=out > 0)
    rank, alone = np.full(n, 1 / n), out == 0
    for _ in range(_MOST_STEPS):
        spread = graph.T @ (rank * scale) + rank[alone].sum() / n
        following = DAMPING * spread + (1 - DAMPING) / n
        step, rank = np.abs(following - rank).sum(), following
        if step < _ENOUGH:
            break
    return rank


def _graph(
    reading: Reading, found: Activations, at: np.ndarray, width: int
) -> tuple[csr_array, np.ndarray]:
    """Weights by pair of token ids, and the number of contexts of each token."""
    from scipy.sparse import coo_array

    masked, graph, contexts = _masked(reading), None, np.zeros(0, np.int64)
    values = widened(found.values).astype(np.float64)
    for first in range(0, len(at), _AT_ONCE):
        some = at[first : first + _AT_ONCE]
        ids = _distinct(_around(reading, found.positions[some], width), masked)
        rows, columns, weights = _pairs(ids, values[some])
        counted = np.bincount(ids[ids >= 0])
        size = max(len(counted), len(contexts))
        counted = np.pad(counted, (0, size - len(counted)))
        contexts = np.pad(contexts, (0, size - len(contexts))) + counted
        piece = coo_array((weights, (rows, columns)), shape=(size, size)).tocsr()
        graph = piece if graph is None else _sum(graph, piece, size)
    assert graph is not None
    return graph, contexts


def _sum(one: Any, other: Any, size: int) -> csr_array:
    one.resize((size, size))
    return one + other


def _around(reading: Reading, positions: np.ndarray, width: int) -> np.ndarray:
    """Token ids of the contexts [m, 2·width + 1]; -1 beyond the ends of the document."""
    store = reading.store
    numbers = store.documents_at(positions)
    starts = store.document_starts(numbers)
    after = numbers + 1
    last = after >= store.n_documents
    ends = np.where(last, store.n_tokens, store.document_starts(np.where(last, 0, after)))
    place = positions.astype(np.int64)[:, None] + np.arange(-width, width + 1)
    inside = (place >= starts[:, None]) & (place < ends[:, None])
    wanted, back = np.unique(place[inside], return_inverse=True)
    ids = np.full(place.shape, -1, np.int64)
    ids[inside] = store.token_ids_at(wanted.astype(np.uint32))[back]
    return ids


def _masked(reading: Reading) -> np.ndarray:
    """By token id, whether it is special."""
    if reading.vocabulary is None:
        return np.zeros(1, bool)
    return np.array(reading.vocabulary.special(np.arange(reading.vocabulary.size)), bool)


def _distinct(ids: np.ndarray, masked: np.ndarray) -> np.ndarray:
    """Each row's tokens ascending, each once; -1 for what is left out."""
    known = (ids >= 0) & (ids < len(masked))
    ids = np.sort(np.where(known & masked[np.where(known, ids, 0)], -1, ids), axis=1)
    ids[:, 1:][ids[:, 1:] == ids[:, :-1]] = -1
    return ids


def _pairs(ids: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both directions of each pair of different tokens of a row, with the row's value."""
    left, right = np.triu_indices(ids.shape[1], 1)
    a, b = ids[:, left], ids[:, right]
    there = (a >= 0) & (b >= 0)
    weights = np.broadcast_to(values[:, None], a.shape)[there]
    a, b = a[there], b[there]
    return np.concatenate([a, b]), np.concatenate([b, a]), np.concatenate([weights, weights])
