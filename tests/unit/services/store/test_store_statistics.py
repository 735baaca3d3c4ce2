"""Every statistic against brute force on a dense matrix; docs/statistics.md has the words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from services.errors import Unavailable
from services.store import ActivationStore, Layout, StoreWriter
from services.store.scratch import Scratch
from services.store.statistics import blocks, distribution, examples, moments
from services.store.statistics.distribution import QUANTILES
from tests.made_stores import Dense, build, dense, fill, part, spec

N, D = 700, 24


def made(signed: bool) -> Dense:
    corpus = dense(N, D, density=0.15)
    if signed:
        corpus.values *= np.where(np.arange(D) % 2, -1, 1).astype(np.float32)
        corpus.values[:, 5] *= np.where(np.arange(N) % 3, 1, -1)
    corpus.values = corpus.values.astype(np.float16).astype(np.float32)
    corpus.values[corpus.counted, 7] = 2.5  # the same everywhere
    return corpus


@pytest.fixture(scope="module", params=[False, True], ids=["positive", "signed"])
def both(request, tmp_path_factory) -> tuple[Dense, ActivationStore]:
    corpus = made(request.param)
    return corpus, build(tmp_path_factory.mktemp("store"), corpus)


def test_counts_and_densities(both):
    corpus, store = both
    fired = corpus.values != 0
    documents = corpus.document_of[-1] + 1
    for feature in range(D):
        found = store.statistics(feature)
        n = int(fired[:, feature].sum())
        in_documents = len(set(corpus.document_of[fired[:, feature]]))
        assert (found.feature, found.n, found.n_documents) == (feature, n, in_documents)
        assert found.token_density == pytest.approx(n / corpus.counted.sum())
        assert found.document_density == pytest.approx(in_documents / documents)
        assert found.dead == (n == 0)
        if n:
            assert found.idf == pytest.approx(np.log(documents / in_documents))
        else:
            assert found.idf is found.mean is found.max is None
    assert store.dead().tolist() == np.flatnonzero(~fired.any(0)).tolist() == [1]
    assert store.l0 == pytest.approx(fired.sum() / corpus.counted.sum())


def test_moments_and_quantiles(both):
    corpus, store = both
    for feature in range(D):
        found, values = store.statistics(feature), fired_values(corpus, feature)
        if not len(values):
            assert not found.quantiles
            continue
        assert (found.min, found.max) == (values.min(), values.max())
        assert found.mean == pytest.approx(values.mean())
        assert found.std == pytest.approx(values.std(), abs=1e-7 * abs(found.mean))
        for q in QUANTILES:
            assert found.quantiles[q] == np.quantile(values, q, method="inverted_cdf")


def test_histograms(both):
    corpus, store = both
    for feature in range(D):
        found, values = store.statistics(feature), fired_values(corpus, feature)
        linear = found.histogram
        if not len(values):
            assert not len(linear.counts)
            continue
        assert len(linear.counts) == 50 and len(linear.edges) == 51
        assert linear.edges[0] == min(values.min(), 0) and linear.edges[-1] == max(values.max(), 0)
        assert linear.counts.tolist() == counted(values, linear.edges, closed=True)
        for signed, logarithmic in (
            (values[values > 0], found.log_histogram),
            (-values[values < 0], found.negative_log_histogram),
        ):
            assert logarithmic.counts.sum() == len(signed)
            assert logarithmic.counts.tolist() == counted(signed, logarithmic.edges, closed=False)


def counted(values: np.ndarray, edges: np.ndarray, closed: bool) -> list[int]:
    found = [int(((values >= low) & (values < high)).sum()) for low, high in pairwise(edges)]
    if found and closed:
        found[-1] += int((values == edges[-1]).sum())
    return found


def test_top_examples(both):
    corpus, store = both
    for feature in range(D):
        found, values = store.statistics(feature), corpus.values[:, feature].astype(np.float64)
        at = np.flatnonzero(values)
        best = at[np.lexsort((at, -values[at]))][:32]
        assert found.top_positions.tolist() == best.tolist()
        assert found.top_values.tolist() == values[best].tolist()


def test_interval_examples(both):
    corpus, store = both
    for feature in range(D):
        found, values = store.statistics(feature), fired_values(corpus, feature)
        for number, interval in enumerate(found.intervals):
            own = corpus.values[interval.positions, feature]
            np.testing.assert_array_equal(own, interval.values)
            inside = (values >= interval.low) & (values < interval.high)
            if number == len(found.intervals) - 1:
                inside |= values == interval.high
            assert len(set(interval.positions)) == len(own) == min(5, inside.sum())
            slack = 1e-6 * abs(interval.high)
            assert (own >= interval.low - slack).all() and (own <= interval.high + slack).all()


def test_interval_examples_are_spread_over_the_corpus():
    n = 40_000
    block = blocks.Block(
        3, np.array([0, n]), np.arange(n, dtype=np.uint32), np.full(n, 1.0, np.float16)
    )
    found = examples.interval_examples(block, np.ones(1), np.ones(1), 10, 2000)
    assert len(found.position) == 2000
    share = np.histogram(found.position, bins=8, range=(0, n))[0] / 2000
    np.testing.assert_allclose(share, 1 / 8, atol=0.03)


@pytest.mark.parametrize("measure", ["count", "jaccard", "correlation"])
def test_coactivation(both, measure):
    corpus, store = both
    values = corpus.values[corpus.counted].astype(np.float64)
    fired = values != 0
    count = fired.T.astype(int) @ fired.astype(int)
    either = fired.sum(0)[:, None] + fired.sum(0) - count
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.corrcoef(values.T)
    for feature in (0, 2, 5, 7, 1):
        found = store.coactivation(feature, top=8, measure=measure)
        others = found.feature
        assert feature not in others
        np.testing.assert_array_equal(found.count, count[feature, others])
        np.testing.assert_allclose(found.jaccard, found.count / either[feature, others])
        expected = correlation[feature, others]
        np.testing.assert_allclose(found.correlation, expected, atol=1e-9)
        together = np.flatnonzero(count[feature] * (np.arange(D) != feature))
        key = {"count": count, "jaccard": count / np.maximum(either, 1), "correlation": correlation}
        ranked = np.sort(np.nan_to_num(key[measure][feature, together], nan=-9))[::-1][:8]
        got = np.nan_to_num(getattr(found, measure), nan=-9)
        np.testing.assert_allclose(got, ranked, atol=1e-9)


def test_breakdown(both):
    corpus, store = both
    sources = np.array([d["source"] or "" for d in corpus.documents])[corpus.document_of]
    for feature in (0, 2, 5):
        table = store.breakdown(feature, "source").to_pylist()
        assert {row["value"] for row in table} == {"web", "code", None}
        for row in table:
            of_group = sources == (row["value"] or "")
            values = corpus.values[of_group & (corpus.values[:, feature] != 0), feature]
            tokens = int((of_group & corpus.counted).sum())
            assert (row["n"], row["n_counted"]) == (len(values), tokens)
            assert row["token_density"] == pytest.approx(len(values) / tokens)
            assert row["mean"] == pytest.approx(values.mean())
            assert row["max"] == values.max()
            documents = set(corpus.document_of[of_group])
            fired = set(corpus.document_of[of_group & (corpus.values[:, feature] != 0)])
            assert (row["n_documents"], row["documents_fired"]) == (len(documents), len(fired))
            assert row["document_density"] == pytest.approx(len(fired) / len(documents))


def test_statistics_while_the_store_fills_are_those_of_what_is_there(tmp_path):
    corpus = made(signed=False)
    writer = StoreWriter.create(str(tmp_path / "a"), spec())
    fill(writer, corpus, stop=500)
    filling = ActivationStore.open(tmp_path / "a")
    sealed = part(corpus, 0, writer.n_sealed)
    whole = build(tmp_path / "b", sealed)
    for feature in range(D):
        assert repr(filling.statistics(feature)) == repr(whole.statistics(feature))
    with pytest.raises(Unavailable):
        filling.statistics_table()


def test_a_document_over_several_parts_and_segments_counts_once(tmp_path):
    corpus = dense(400, 4, density=0.05)
    corpus.starts[:] = False
    corpus.starts[[0, 30, 330]] = True
    corpus.counted[:] = True
    corpus.documents = corpus.documents[:3]
    layout = Layout(part_tokens=20, segment_nnz=30, block_nnz=60, range_nnz=300)
    store = build(tmp_path, corpus, spec(4, layout))
    for feature in range(4):
        documents = set(corpus.document_of[corpus.values[:, feature] != 0])
        assert store.statistics(feature).n_documents == len(documents)


def test_moments_add_up():
    rng = np.random.default_rng(0)
    values = rng.random(100).astype(np.float32)
    whole, first, second = (one_feature(v) for v in (values, values[:30], values[30:]))
    added = moments.moments(first) + moments.moments(second)
    assert added.mean == pytest.approx(moments.moments(whole).mean)
    assert added.std == pytest.approx(np.std(values.astype(np.float64)))


def one_feature(values: np.ndarray) -> blocks.Block:
    positions = np.arange(len(values), dtype=np.uint32)
    return blocks.Block(0, np.array([0, len(values)]), positions, values)


def test_a_feature_larger_than_memory_is_cut_into_chunks(tmp_path, monkeypatch):
    """The same numbers when its arrays are pages of a file and are read piece by piece."""
    corpus = made(signed=True)
    whole = build(tmp_path / "a", corpus)
    monkeypatch.setattr(blocks, "CHUNK", 50)
    monkeypatch.setattr(distribution, "CHUNK", 50)
    monkeypatch.setattr(Scratch, "__init__", lambda self: setattr(self, "_in_memory", 100))
    monkeypatch.setattr(Scratch, "_folder", None, raising=False)
    cut = build(tmp_path / "b", corpus)
    for feature in range(D):
        a, b = whole.statistics(feature), cut.statistics(feature)
        assert repr(a) == repr(b) or a.mean == pytest.approx(b.mean, rel=1e-12)
        assert a.top_positions.tolist() == b.top_positions.tolist()
        assert repr(a.intervals) == repr(b.intervals)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    arrays.arrays(
        st.sampled_from([np.float16, np.float32]),
        st.integers(1, 50),
        elements=st.floats(-100, 100, width=16).filter(bool),
    )
)
def test_distributions_of_any_values(values):
    ordered = distribution.SortedValues(one_feature(values), Scratch())
    low, high = distribution.extremes(ordered)
    exact = values.astype(np.float64)
    found = distribution.linear_histogram(ordered, low, high)[0]
    edges = distribution.edges(*distribution.span(low, high), 50)[0]
    assert found.tolist() == counted(exact, edges, closed=True)
    quantiles = distribution.quantiles(ordered)[0]
    np.testing.assert_array_equal(
        quantiles, [np.quantile(exact, q, method="inverted_cdf") for q in QUANTILES]
    )


def fired_values(corpus: Dense, feature: int) -> np.ndarray:
    column = corpus.values[:, feature].astype(np.float64)
    return column[column != 0]
