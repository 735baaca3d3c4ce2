"""How an extraction stands: counts of tokens, whatever was given again after an interruption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.extraction.standing import Series, Standing
from services.store import ActivationStore, Batch, StoreSpec, StoreWriter
from services.types import ExtractionLive

D_SAE = 8
N_TOKENS = 60


def made(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dense features [n, d_sae], which tokens count and where documents start."""
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(N_TOKENS, D_SAE)).astype(np.float32).clip(0)
    dense[:, 5] = 0
    starts = np.arange(N_TOKENS) % 7 == 0
    dense[starts] = 0
    return dense, ~starts, starts


def batch(first: int, stop: int) -> Batch:
    dense, counted, starts = (column[first:stop] for column in made())
    token, feature = dense.nonzero()
    return Batch(
        token_ids=np.zeros(stop - first, np.uint32),
        indptr=np.concatenate([[0], np.cumsum(np.bincount(token, minlength=stop - first))]),
        features=feature.astype(np.int32),
        values=dense[token, feature],
        starts=starts,
        documents=[{"name": "d"}] * int(starts.sum()),
        counted=counted,
        position=first,
    )


def require_all(live: ExtractionLive) -> None:
    """That `live` is what the dense features say."""
    dense, counted, starts = made()
    fires = dense > 0
    assert (live.n_tokens, live.n_counted) == (N_TOKENS, counted.sum())
    assert (live.n_documents, live.nnz) == (starts.sum(), fires.sum())
    assert live.l0 == pytest.approx(fires.sum() / counted.sum())
    assert live.n_dead == 1
    assert sum(live.density_counts) == D_SAE - 1
    assert live.max_activation == dense.max()
    by_l0 = np.bincount(fires[counted].sum(1))
    assert live.l0_counts == tuple(by_l0.tolist())
    assert live.l0_edges == tuple(np.arange(len(by_l0) + 1) - 0.5)


@pytest.mark.parametrize("known", [0, 1, 20, 45, N_TOKENS])
@pytest.mark.parametrize("size", [7, 20, N_TOKENS])
def test_what_is_given_again_is_counted_once(known: int, size: int) -> None:
    standing = Standing(D_SAE)
    if known:
        standing.add(batch(0, known))
    for first in range(0, N_TOKENS, size):
        standing.add(batch(first, min(first + size, N_TOKENS)))
    require_all(standing.live(Series()))


def test_a_store_is_counted_as_what_was_given_to_it(tmp_path: Path) -> None:
    writer = StoreWriter.create(str(tmp_path), StoreSpec(D_SAE, precision="float32"))
    writer.append(batch(0, N_TOKENS))
    writer.finish()
    require_all(Standing.of_store(ActivationStore.open(str(tmp_path))).live(Series()))


def test_nothing_yet() -> None:
    live = Standing(D_SAE).live(Series())
    assert (live.n_tokens, live.l0, live.n_dead) == (0, None, None)


def test_a_long_series_is_thinned() -> None:
    series = Series()
    for i in range(1, 2001):
        series.add(i / 10, i)
    assert 100 <= len(series.tokens) <= 200
    assert series.tokens == sorted(series.tokens)
    assert series.tokens[-1] == 2000
    assert series.seconds == [tokens / 10 for tokens in series.tokens]
