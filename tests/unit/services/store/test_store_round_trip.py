"""What is written is read back, whatever it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from services.errors import InvalidArgument, NotFound
from services.store import ActivationStore, Layout, StoreWriter, append_shard, compact
from tests.made_stores import Dense, build, dense, fill, part, spec

RELATIVE = 5e-4


def assert_holds(store: ActivationStore, corpus: Dense, tolerance: float = RELATIVE) -> None:
    """The store, by feature and by token, is the matrix."""
    n, d = corpus.values.shape
    assert (store.n_tokens, store.nnz) == (n, np.count_nonzero(corpus.values))
    by_feature, by_token = np.zeros((n, d)), np.zeros((n, d))
    for feature in range(d):
        found = store.feature(feature)
        assert (np.diff(found.positions.astype(np.int64)) > 0).all()
        by_feature[found.positions, feature] = found.values
        assert (found.values != 0).all()
    rows = store.tokens(0, n)
    by_token[np.repeat(np.arange(n), np.diff(rows.indptr)), rows.features] = rows.values
    np.testing.assert_array_equal(by_feature, by_token)
    np.testing.assert_array_equal(by_feature != 0, corpus.values != 0)
    np.testing.assert_allclose(by_feature, corpus.values, rtol=tolerance, atol=0)
    np.testing.assert_array_equal(rows.token_ids, corpus.token_ids)
    np.testing.assert_array_equal(rows.starts, corpus.starts)
    np.testing.assert_array_equal(rows.counted, corpus.counted)


@pytest.fixture(params=["folder", "memory://{}", "file://{}"])
def url(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path / "store")
    return request.param.format(f"{tmp_path}/store")


def test_a_store_holds_the_matrix(url):
    corpus = dense()
    store = build(url, corpus)
    assert store.complete
    assert store.manifest.generation.dtype == "float16"
    assert len(store.manifest.generation.ranges) > 2
    assert len(store.manifest.shards[0].parts) > 5
    assert_holds(store, corpus)


@pytest.mark.parametrize("tokens", [1, 63, 64, 65, 130, 300, 499])
def test_a_store_that_fills_shows_what_is_sealed(url, tokens):
    corpus, of = dense(), spec()
    writer = StoreWriter.create(url, of)
    fill(writer, corpus, stop=tokens)
    store = ActivationStore.open(url)
    assert not store.complete
    sealed = part(corpus, 0, writer.n_sealed)
    assert writer.n_tokens == tokens and tokens - writer.n_sealed < 64
    if writer.n_sealed:
        assert_holds(store, sealed)
    np.testing.assert_array_equal(store.counts(), np.count_nonzero(sealed.values, axis=0))


def test_a_reader_keeps_its_version_until_it_is_refreshed(tmp_path):
    corpus = dense()
    writer = StoreWriter.create(str(tmp_path), spec())
    fill(writer, corpus, stop=300)
    before = ActivationStore.open(tmp_path)
    n = before.n_tokens
    assert before.refreshed() is before
    fill(writer, corpus)
    writer.finish()
    assert_holds(before, part(corpus, 0, n))
    assert_holds(before.refreshed(), corpus)


def test_several_shards_follow_each_other_only_once_their_positions_are_final(tmp_path):
    corpus, of = dense(), spec(shards=("a", "b"))
    cut = int(np.flatnonzero(corpus.starts)[10])
    first, second = part(corpus, 0, cut), part(corpus, cut, 500)
    b = StoreWriter.create(str(tmp_path), of, "b")
    fill(b, second)
    assert ActivationStore.open(tmp_path).n_tokens == 0
    a = StoreWriter.create(str(tmp_path), of, "a")
    fill(a, first)
    assert ActivationStore.open(tmp_path).n_tokens == a.n_sealed
    a.finish()
    assert ActivationStore.open(tmp_path).n_tokens == cut + b.n_sealed
    b.finish()
    assert not ActivationStore.open(tmp_path).complete
    compact(str(tmp_path))
    assert_holds(ActivationStore.open(tmp_path), corpus)


def test_a_shard_is_appended_to_a_complete_store(tmp_path):
    corpus = dense()
    cut = int(np.flatnonzero(corpus.starts)[12])
    build(tmp_path, part(corpus, 0, cut))
    append_shard(str(tmp_path), "more")
    writer = StoreWriter.open_for_resume(str(tmp_path), spec(), "more")
    fill(writer, part(corpus, cut, 500), stop=200)
    filling = ActivationStore.open(tmp_path)
    assert not filling.complete
    assert_holds(filling, part(corpus, 0, cut + writer.n_sealed))
    fill(writer, part(corpus, cut, 500))
    writer.finish()
    compact(str(tmp_path))
    store = ActivationStore.open(tmp_path)
    assert store.complete and store.manifest.generation.number == 2
    assert not (tmp_path / "features" / "g0001").exists()
    assert_holds(store, corpus)


@st.composite
def corpora(draw: st.DrawFn) -> Dense:
    n, d = draw(st.integers(1, 60)), draw(st.integers(1, 6))
    numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
    special = [
        float(np.float32(x))
        for x in (65504, -65504, 65520, 65536, -65550, 1e-7, -6e-8, 1e-40, 3e38)
    ]
    usual = st.floats(-8, 8, width=16) | st.floats(-70_000, 70_000, width=32)
    cells = st.just(0.0) | numbers | usual | st.sampled_from(special)
    values = draw(arrays.arrays(np.float32, (n, d), elements=cells, fill=st.just(0.0)))
    starts = draw(arrays.arrays(np.bool_, n))
    counted = draw(arrays.arrays(np.bool_, n))
    starts[0] = True
    values[~counted] = 0
    documents = [{"name": str(i)} for i in range(int(starts.sum()))]
    return Dense(values, starts, counted, np.arange(n, dtype=np.uint32), documents)


layouts = st.builds(
    Layout,
    part_tokens=st.integers(1, 30),
    part_nnz=st.integers(1, 60),
    segment_nnz=st.integers(1, 100),
    block_nnz=st.integers(1, 50),
    range_nnz=st.integers(1, 80),
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(corpora(), layouts, st.sampled_from(["auto", "float32"]), st.integers(1, 70))
def test_any_matrix_is_read_back(tmp_path_factory, corpus, layout, precision, batch):
    folder = tmp_path_factory.mktemp("store")
    of = spec(corpus.values.shape[1], layout, precision=precision)
    writer = StoreWriter.create(str(folder), of)
    fill(writer, corpus, batch)
    writer.finish_shard()
    assert_holds(ActivationStore.open(folder), corpus, 0 if precision == "float32" else RELATIVE)
    writer.finish()
    store = ActivationStore.open(folder)
    assert_holds(store, corpus, 0 if precision == "float32" else RELATIVE)
    for feature in range(corpus.values.shape[1]):
        store.statistics(feature)


def test_float16_is_refused_rather_than_saturated(tmp_path):
    corpus = dense(50)
    corpus.values[np.flatnonzero(corpus.counted)[20], 3] = 70_000
    writer = StoreWriter.create(str(tmp_path), spec(precision="float16"))
    with pytest.raises(InvalidArgument, match="70000"):
        fill(writer, corpus)


def test_one_large_value_makes_the_store_float32_and_changes_no_other(tmp_path):
    corpus = dense()
    small = build(tmp_path / "small", corpus)
    corpus.values[np.flatnonzero(corpus.counted)[250], 3] = 70_000
    large = build(tmp_path / "large", corpus)
    assert large.manifest.generation.dtype == "float32"
    for feature in set(range(24)) - {3}:
        a, b = small.feature(feature), large.feature(feature)
        np.testing.assert_array_equal(a.values.astype(np.float32), b.values)


def test_values_are_views_of_the_file(tmp_path):
    found = build(tmp_path, dense()).feature(0)
    assert not found.positions.flags.owndata and not found.values.flags.owndata
    assert not found.values.flags.writeable


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(NotFound, match="no store"):
        ActivationStore.open(tmp_path)
    store = build(tmp_path, dense())
    for ask in (
        lambda: store.feature(24),
        lambda: store.statistics(-1),
        lambda: store.token(500),
        lambda: store.tokens(490, 501),
        lambda: store.document(10_000),
        lambda: store.context(-1, 3),
    ):
        with pytest.raises(NotFound):
            ask()
