"""The graph of mutual nearest neighbours, and its components at a least cosine.

Two features are joined when each is among the other's nearest in the decoder table. Edges are
sorted by cosine, so that those above a threshold are the first ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Graph:
    """Edges [m] with `one` < `other`, those of the largest cosine first."""

    n: int  # features
    one: np.ndarray
    other: np.ndarray
    cosine: np.ndarray  # float32


@dataclass(frozen=True, slots=True)
class Components:
    """Families: `members[starts[i]:starts[i + 1]]`, ascending; the largest first, equally large
    ones by their first member."""

    members: np.ndarray
    starts: np.ndarray  # [families + 1]

    @property
    def sizes(self) -> np.ndarray:
        """How many features each has."""
        return np.diff(self.starts)

    def family(self, i: int) -> np.ndarray:
        """The members of one."""
        return self.members[self.starts[i] : self.starts[i + 1]]


def nearest(table: pa.Table, d_sae: int) -> tuple[np.ndarray, np.ndarray]:
    """The decoder table's neighbours [d_sae, k], -1 where there are no more, and cosines."""
    column = table.column("neighbour").combine_chunks()
    lengths = np.diff(column.offsets.to_numpy())
    k = int(lengths.max(initial=0))
    ids, cosines = np.full((d_sae, k), -1, np.int64), np.full((d_sae, k), -np.inf, np.float32)
    filled = np.arange(k)[None, :] < lengths[:, None]
    ids[filled] = column.flatten().to_numpy()
    cosines[filled] = table.column("neighbour_cosine").combine_chunks().flatten().to_numpy()
    return ids, cosines


def mutual(ids: np.ndarray, cosines: np.ndarray) -> Graph:
    """The pairs that are in each other's lists."""
    n, k = ids.shape
    there = ids.ravel() >= 0
    source = np.repeat(np.arange(n), k)[there]
    target, cosine = ids.ravel()[there], cosines.ravel()[there]
    low, high = np.minimum(source, target), np.maximum(source, target)
    order = np.argsort(low * n + high, kind="stable")
    key = (low * n + high)[order]
    twice = np.flatnonzero(key[1:] == key[:-1])
    edges = order[twice]
    edges = edges[np.lexsort((key[twice], -cosine[edges]))]
    return Graph(n, low[edges], high[edges], cosine[edges])


def components(graph: Graph, threshold: float, min_size: int) -> Components:
    """Features that are joined by edges of at least `threshold`, directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_edges = int(np.searchsorted(-graph.cosine, -np.float32(threshold), side="right"))
    one, other = graph.one[:n_edges], graph.other[:n_edges]
    matrix = coo_array((np.ones(n_edges, bool), (one, other)), shape=(graph.n, graph.n))
    _, label = connected_components(matrix, directed=False)
    sizes = np.bincount(label, minlength=1)
    first = np.full(len(sizes), graph.n)
    np.minimum.at(first, label, np.arange(graph.n))
    chosen = np.flatnonzero(sizes >= min_size)
    ordered = chosen[np.lexsort((first[chosen], -sizes[chosen]))]
    rank = np.full(len(sizes), len(ordered))
    rank[ordered] = np.arange(len(ordered))
    members = np.argsort(rank[label], kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes[ordered])]).astype(np.int64)
    return Components(members[: starts[-1]].astype(np.int64), starts)
