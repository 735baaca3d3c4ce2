"""Numbers of a comparison against brute force on a dense matrix."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.comparison.gathering import Gathering, histograms
from services.comparison.pairs import Fired, cosines, related
from services.comparison.requests import CompareQuery, FeatureName
from services.comparison.shared import shared_positions
from services.comparison.streams import Streams
from services.comparison.tokens import PRIOR_TOKENS, log_odds_z, strongest
from services.errors import InvalidArgument
from services.stores.reading import Reading
from services.stores.service import Stores
from tests import made_stores

PLAN = {"context": 64, "stride": 48, "policy": "windows", "bos_id": 1, "skip_bos": True,
        "skip_special": True, "max_tokens": None, "sample_seed": None}  # fmt: skip


def corpus(seed: int = 0, vocabulary: int = 40, **options: Any) -> made_stores.Dense:
    made = made_stores.dense(seed=seed, density=0.25, **options)
    ids = np.random.default_rng(99).integers(0, vocabulary, len(made.token_ids))
    made.token_ids = ids.astype(np.uint32)  # the same tokens for every seed
    return made


def build(root: Path, name: str, of: made_stores.Dense, **provenance: Any) -> Reading:
    about = {"corpus_hash": "abc", "corpus_id": "c", "plan": PLAN} | provenance
    spec = made_stores.spec(of.values.shape[1], sae_id=name, provenance=about)
    made_stores.build(root / name, of, spec)
    return Stores(str(root)).read(name, lambda reading: reading)


@pytest.fixture(scope="module")
def dense() -> made_stores.Dense:
    return corpus()


@pytest.fixture(scope="module")
def other_dense(dense: made_stores.Dense) -> made_stores.Dense:
    """Other activations at the same tokens of the same documents."""
    return replace(dense, values=np.roll(corpus(5).values, 3, axis=1) * dense.counted[:, None])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="module")
def reading(root: Path, dense: made_stores.Dense) -> Reading:
    return build(root, "one", dense)


@pytest.fixture(scope="module")
def other(root: Path, other_dense: made_stores.Dense) -> Reading:
    return build(root, "two", other_dense)


def fired(reading: Reading, feature: int) -> Fired:
    return Fired(reading, reading.store.feature(feature))


def stored(values: np.ndarray) -> np.ndarray:
    """As a store rounds them."""
    return values.astype(np.float16).astype(np.float64)


def test_pairs_are_what_the_dense_matrix_says(
    reading: Reading, other: Reading, dense: made_stores.Dense, other_dense: made_stores.Dense
) -> None:
    columns = {("one", f): stored(dense.values[:, f]) for f in (0, 1, 2, 5)}
    columns |= {("two", f): stored(other_dense.values[:, f]) for f in (4, 7)}
    readings = {"one": reading, "two": other}
    counted = dense.counted
    for (of_one, a), (of_other, b) in itertools.product(columns, columns):
        x, y = columns[of_one, a][counted], columns[of_other, b][counted]
        one, two = (fired(readings[n], f) for n, f in ((of_one, a), (of_other, b)))
        found = related(one, two, int(counted.sum()))
        both, either = int(((x != 0) & (y != 0)).sum()), int(((x != 0) | (y != 0)).sum())
        assert found.count == both
        assert found.jaccard == (both / either if either else None)
        if x.std() and y.std():
            assert found.correlation == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)
        else:
            assert found.correlation is None


def test_cosines_are_of_directions_of_the_same_space() -> None:
    rng = np.random.default_rng(1)
    a, b, c = (v / np.linalg.norm(v) for v in rng.normal(size=(3, 8)))
    found = cosines([a, b, c, None, np.zeros(8)], ["x", "x", "y", "x", "x"])
    assert found[0][1] == pytest.approx(a @ b)
    assert found[1][0] == found[0][1]
    assert found[0][0] == pytest.approx(1)
    assert found[0][2] is None
    assert found[0][3] is None
    assert found[0][4] is None
    assert cosines([a, b], [None, None])[0][1] is None


@pytest.mark.parametrize("firing", [2, 3])
def test_shared_tokens_are_those_of_brute_force(
    reading: Reading, dense: made_stores.Dense, firing: int
) -> None:
    chosen = (0, 3, 5, 8)
    values = stored(dense.values[:, chosen])
    relative = np.sort(values / values.max(axis=0), axis=1)[:, -firing]
    fires = (values > 0).sum(axis=1) >= firing
    expected = sorted(np.flatnonzero(fires), key=lambda p: (-relative[p], p))[:15]
    found = shared_positions([fired(reading, f) for f in chosen], firing, 15)
    assert found[0].tolist() == expected
    np.testing.assert_allclose(found[1], relative[expected])
    np.testing.assert_array_equal(found[2], values[expected])


def test_shared_tokens_of_features_that_never_fire() -> None:
    class Silent:
        positions, values, top = np.empty(0, np.uint32), np.empty(0), 0.0

        def at(self, positions: np.ndarray) -> np.ndarray:
            return np.zeros(len(positions))

    assert len(shared_positions([Silent(), Silent()], 2, 5)[0]) == 0  # type: ignore[list-item]


def by_hand(own: np.ndarray, others: np.ndarray, corpus: np.ndarray, w: int) -> float:
    """Monroe et al., equations 15, 16, 20 and 22, as they stand there."""
    a0, n_i, n_j = PRIOR_TOKENS, own.sum(), others.sum()
    a = a0 * corpus[w] / corpus.sum()
    delta = np.log((own[w] + a) / (n_i + a0 - own[w] - a))
    delta -= np.log((others[w] + a) / (n_j + a0 - others[w] - a))
    return float(delta / np.sqrt(1 / (own[w] + a) + 1 / (others[w] + a)))


def test_distinguishing_tokens_are_those_with_the_largest_log_odds(
    root: Path, reading: Reading, dense: made_stores.Dense
) -> None:
    features = [FeatureName("one", f) for f in (2, 5, 9)]
    gathering = Gathering(Stores(str(root)))
    together = gathering.together(features, {"one": "one"})
    size = int(dense.token_ids.max()) + 1
    counts = [
        np.bincount(dense.token_ids[dense.values[:, f.feature_id] != 0], minlength=size)
        for f in features
    ]
    background = np.bincount(dense.token_ids[dense.counted], minlength=size)
    others = counts[1] + counts[2]
    z = [by_hand(counts[0], others, background, w) for w in range(size)]
    fires = counts[0] + others > 0
    np.testing.assert_allclose(
        log_odds_z(counts[0], others, background), np.where(fires, z, 0), atol=1e-12
    )
    found = gathering.distinguishing(together, 0, 50)
    expected = sorted((w for w in range(size) if z[w] > 1.96), key=lambda w: -z[w])
    assert [t.token_id for t in found] == expected
    assert [t.count for t in found] == [counts[0][w] for w in expected]


def test_a_token_that_only_one_feature_fires_on_comes_first() -> None:
    own, others = np.array([50, 5, 0, 0]), np.array([0, 5, 60, 0])
    z = log_odds_z(own, others, np.array([100, 100, 100, 700]))
    assert strongest(z, 5).tolist() == [0]
    assert z[2] < -2
    assert z[3] == 0
    assert not log_odds_z(own, np.zeros(4), np.ones(4)).any()
    assert not log_odds_z(own[:1], others[:1] + 1, np.ones(1)).any()


def test_histograms_have_one_scale(reading: Reading, dense: made_stores.Dense) -> None:
    made = histograms([fired(reading, 0), None, fired(reading, 4), fired(reading, 1)])
    assert made[1] is None
    assert made[3] is None
    assert made[0] is not None
    assert made[2] is not None
    assert made[0].edges == made[2].edges
    values = stored(dense.values[:, 4])
    counts, _ = np.histogram(values[values != 0], np.array(made[2].edges))
    assert made[2].counts == tuple(counts.tolist())
    assert sum(made[0].counts) == int(dense.counted.sum())
    assert histograms([None]) == [None]


def test_stores_are_comparable_only_with_the_same_tokens(
    root: Path, reading: Reading, other: Reading, dense: made_stores.Dense
) -> None:
    streams = Streams()
    assert streams.difference(reading, reading) is None
    assert streams.difference(reading, other) is None
    elsewhere = build(root, "corpus", dense, corpus_hash="other")
    packed = build(root, "packed", dense, plan=PLAN | {"context": 32, "stride": 24})
    unknown = build(root, "unknown", dense, corpus_hash=None)
    tokens = dense.token_ids.copy()
    tokens[-1] += 1
    retokenised = build(root, "tokens", replace(dense, token_ids=tokens))
    shorter = build(root, "short", made_stores.part(dense, 0, made_stores.cuts(dense, 2)[1]))
    for made, said in (
        (elsewhere, "different corpora"), (packed, "different windows, strides"),
        (unknown, "does not say"), (retokenised, "cut the text differently"),
        (shorter, "not complete"),
    ):  # fmt: skip
        for _ in range(2):  # the second answer is remembered
            assert said in str(streams.difference(reading, made))
            assert said in str(streams.difference(made, reading))


def test_what_cannot_be_compared_is_left_out_and_said(root: Path, dense: made_stores.Dense) -> None:
    build(root, "far", dense, corpus_hash="far away")
    build(root, "near", dense)
    features = [FeatureName("near", 2), FeatureName("far", 2), FeatureName("new", 0)]
    features.append(FeatureName("near", 3))
    together = Gathering(Stores(str(root))).together(
        features, {"near": "near", "far": "far", "new": None}
    )
    assert together.same[0] == (True, False, False, True)
    assert together.group(1) == [1]
    assert together.largest() == [0, 3]
    counts = [[r and r.count for r in row] for row in together.related()]
    n = int((dense.values[:, 2] != 0).sum())
    assert counts[0][:3] == [n, None, None]
    assert counts[1] == [None, n, None, None]
    assert counts[2] == [None] * 4
    assert any("near and far are not compared" in note for note in together.notes)
    assert any("SAE new has read no corpus" in note for note in together.notes)


def test_features_are_named_by_sae_and_number() -> None:
    query = CompareQuery.parse({"f": ["a/b:c:3", "x:12"]})
    assert query.features == (FeatureName("a/b:c", 3), FeatureName("x", 12))
    for wrong in (
        ["a:1"], ["a:1", "a:1"], ["a:1", "a:01"], ["a", "b:1"], [":1", "b:1"], ["a:-1", "b:1"],
        ["a:²", "b:1"], ["a:99999999999", "b:1"], [f"a:{i}" for i in range(7)],
    ):  # fmt: skip
        with pytest.raises(InvalidArgument):
            CompareQuery.parse({"f": wrong})
    with pytest.raises(InvalidArgument, match="'foo' is no feature: write SAE:NUMBER"):
        CompareQuery.parse({"f": "foo"})
    with pytest.raises(InvalidArgument, match="2 to 6 features are compared"):
        CompareQuery.parse({"f": "s:1"})
