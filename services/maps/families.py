"""What makes a family: how alike its members write, and which tokens they promote."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from services.maps.graph import Components
from services.types.features import FamilySizes, FeatureFamily, ScoredToken

TOKENS = 8  # of each family


def cohesions(found: Components, blocks: Iterator[tuple[int, np.ndarray]]) -> np.ndarray:
    """Mean cosine of each family's directions with their mean direction.

    Of unit directions this is the length of their mean.
    """
    if not len(found.members):
        return np.empty(0)
    n_families = len(found.sizes)
    family = np.repeat(np.arange(n_families), found.sizes)
    order = np.argsort(found.members)
    members, family = found.members[order], family[order]
    sums: np.ndarray | None = None
    for start, rows in blocks:
        low, high = np.searchsorted(members, [start, start + len(rows)])
        if sums is None:
            sums = np.zeros((n_families, rows.shape[1]))
        np.add.at(sums, family[low:high], rows[members[low:high] - start].astype(np.float64))
    assert sums is not None
    return np.asarray(np.linalg.norm(sums, axis=1) / found.sizes)


def family_tokens(
    found: Components, table: pa.Table, n: int = TOKENS
) -> list[tuple[ScoredToken, ...]]:
    """Of each family the tokens that most of its members promote.

    A token counts for the members that have it among their largest logit weights; its score is
    the mean z of the weights over all members, those without it as 0. Those of most members come
    first, of equally many those with the larger score, then the lower token.
    """
    lists = table.column("top_token").combine_chunks()
    n_families = len(found.sizes)
    if lists.null_count == len(lists) or not n_families:
        return [()] * n_families
    ids, z, texts = _weights(table, found.members)
    family = np.repeat(np.repeat(np.arange(n_families), found.sizes), ids.shape[1])
    size = int(ids.max()) + 1
    keys, first, inverse = np.unique(
        family * size + ids.ravel(), return_index=True, return_inverse=True
    )
    count = np.bincount(inverse)
    of, token = np.divmod(keys, size)
    score = np.bincount(inverse, z.ravel()) / found.sizes[of]
    order = np.lexsort((token, -score, -count, of))
    begins = np.searchsorted(of[order], np.arange(n_families + 1))
    return [
        tuple(
            ScoredToken(int(token[i]), texts[int(first[i])].as_py(), float(score[i]), int(count[i]))
            for i in order[low : min(low + n, high)].tolist()
        )
        for low, high in zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True)
    ]


def _weights(table: pa.Table, members: np.ndarray) -> tuple[np.ndarray, np.ndarray, pa.Array]:
    """Tokens [m, k], their z [m, k] and, flat, their texts, of some features."""
    taken = (
        table.select(["top_token", "top_weight", "top_text", "logit_mean", "logit_std"])
        .take(pa.array(members))
        .combine_chunks()
    )
    flat = {name: taken.column(name).combine_chunks().flatten() for name in taken.column_names[:3]}
    ids = flat["top_token"].to_numpy().astype(np.int64).reshape(len(members), -1)
    weights = flat["top_weight"].to_numpy().astype(np.float64).reshape(len(members), -1)
    mean, std = (taken.column(n).to_numpy()[:, None] for n in ("logit_mean", "logit_std"))
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(std > 0, (weights - mean) / std, 0.0)
    return ids, z, flat["top_text"]


def sizes_of(found: Components, threshold: float, n_features: int) -> FamilySizes:
    """The families in a few numbers."""
    sizes = found.sizes
    values, counts = np.unique(sizes, return_counts=True)
    return FamilySizes(
        threshold=threshold,
        n_families=len(sizes),
        n_features=int(sizes.sum()),
        n_alone=n_features - int(sizes.sum()),
        largest=int(sizes.max(initial=0)),
        median=float(np.median(sizes)) if len(sizes) else None,
        by_size=dict(zip(values.tolist(), counts.tolist(), strict=True)),
    )


def named(
    found: Components, cohesion: np.ndarray, tokens: list[tuple[ScoredToken, ...]]
) -> tuple[FeatureFamily, ...]:
    """The families, numbered from 1."""
    return tuple(
        FeatureFamily(i + 1, tuple(found.family(i).tolist()), float(cohesion[i]), tokens[i])
        for i in range(len(found.sizes))
    )
