"""Maps and families against numpy's SVD, scikit-learn and networkx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.decomposition import PCA

from services.decoder.vectors import Vectors
from services.errors import NotFound, Unsupported
from services.maps.families import cohesions, family_tokens, named, sizes_of
from services.maps.files import MapFiles, map_id
from services.maps.graph import Components, Graph, components, mutual, nearest
from services.maps.layout import neighbour_graph, umap_points
from services.maps.projecting import principal_components
from services.sae.catalogue import SaeCatalogue
from services.types.features import FeatureMap
from tests import tiny

N, WIDTH, K = 150, 12, 6


@pytest.fixture(scope="module")
def directions() -> np.ndarray:
    """Groups of alike directions, some alone, and two features without any."""
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(20, WIDTH))
    rows = centres[rng.integers(0, 20, N)] + rng.normal(scale=0.25, size=(N, WIDTH))
    rows[[17, 90]] = 0
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def table(directions: np.ndarray) -> pa.Table:
    """A decoder table by brute force."""
    cosine = directions.astype(np.float64) @ directions.T.astype(np.float64)
    has = directions.any(axis=1)
    rng, rows = np.random.default_rng(0), []
    for i in range(N):
        others = [j for j in range(N) if j != i and has[i] and has[j]]
        near = sorted(others, key=lambda j: (-cosine[i, j], j))[:K]
        top = rng.choice(30, 5, replace=False)
        rows.append(
            {
                "neighbour": near, "neighbour_cosine": [cosine[i, j] for j in near],
                "top_token": top.tolist(), "top_text": [f"t{t}" for t in top],
                "top_weight": np.sort(rng.random(5))[::-1].tolist(),
                "logit_mean": 0.1, "logit_std": 0.0 if i == 3 else 0.5,
            }
        )  # fmt: skip
    lists = {"neighbour": pa.uint32(), "neighbour_cosine": pa.float32(), "top_token": pa.uint32(),
             "top_text": pa.string(), "top_weight": pa.float32()}  # fmt: skip
    schema = pa.schema([(name, pa.list_(kind)) for name, kind in lists.items()])
    schema = schema.append(pa.field("logit_mean", pa.float32()))
    return pa.Table.from_pylist(rows, schema.append(pa.field("logit_std", pa.float32())))


def in_blocks(rows: np.ndarray, size: int = 37) -> Iterator[tuple[int, np.ndarray]]:
    yield from ((i, rows[i : i + size]) for i in range(0, len(rows), size))


def test_principal_components_are_those_of_the_svd(directions: np.ndarray) -> None:
    done: list[int] = []
    found = principal_components(lambda: in_blocks(directions), done.append)
    kept = directions[directions.any(axis=1)].astype(np.float64)
    centred = kept - kept.mean(axis=0)
    _, s, axes = np.linalg.svd(centred, full_matrices=False)
    for axis in axes[:2]:
        axis *= np.sign(axis[np.abs(axis).argmax()])
    assert found.features.tolist() == [i for i in range(N) if i not in (17, 90)]
    np.testing.assert_allclose(found.points, centred @ axes[:2].T, atol=1e-5)
    np.testing.assert_allclose(found.explained, (s**2 / (s**2).sum())[:2])
    reference = PCA(2, svd_solver="full").fit(kept)
    np.testing.assert_allclose(found.explained, reference.explained_variance_ratio_)
    np.testing.assert_allclose(np.abs(found.points), np.abs(reference.transform(kept)), atol=1e-5)
    assert done[-1] == N
    again = principal_components(lambda: in_blocks(directions, 11))
    np.testing.assert_allclose(again.points, found.points, atol=1e-6)


def test_a_flat_decoder_has_a_second_axis_of_zeros() -> None:
    line = np.array([[1.0], [-1.0], [1.0], [0.0]], np.float32)
    found = principal_components(lambda: in_blocks(line))
    assert found.points.shape == (3, 2)
    assert not found.points[:, 1].any()
    assert found.explained == (1.0, 0.0)


def families_of(table: pa.Table, threshold: float, min_size: int = 2) -> list[set[int]]:
    """With networkx, from the lists themselves."""
    near = table.column("neighbour").to_pylist()
    cosine = table.column("neighbour_cosine").to_pylist()
    graph = nx.Graph()
    for i in range(N):
        for j, value in zip(near[i], cosine[i], strict=True):
            if i in near[j] and np.float32(value) >= np.float32(threshold):
                graph.add_edge(i, j)
    found = [c for c in nx.connected_components(graph) if len(c) >= min_size]
    return sorted(found, key=lambda c: (-len(c), min(c)))


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.8, 0.9, 0.97, 1.0])
@pytest.mark.parametrize("min_size", [2, 4])
def test_families_are_the_components_that_networkx_finds(
    table: pa.Table, threshold: float, min_size: int
) -> None:
    graph = mutual(*nearest(table, N))
    found = components(graph, threshold, min_size)
    expected = families_of(table, threshold, min_size)
    assert [set(found.family(i).tolist()) for i in range(len(found.sizes))] == expected
    sizes = sizes_of(found, threshold, N)
    lengths = [len(c) for c in expected]
    assert sizes.n_families == len(expected)
    assert sizes.n_features == sum(lengths)
    assert sizes.n_alone == N - sum(lengths)
    assert sizes.largest == max(lengths, default=0)
    assert sizes.median == (np.median(lengths) if lengths else None)
    assert sizes.by_size == {size: lengths.count(size) for size in set(lengths)}


def test_edges_of_the_threshold_itself_count(table: pa.Table) -> None:
    graph = mutual(*nearest(table, N))
    least = float(graph.cosine[len(graph.cosine) // 2])
    found = components(graph, least, 2)
    assert [set(found.family(i).tolist()) for i in range(len(found.sizes))] == families_of(
        table, least
    )


def test_cohesion_is_the_mean_cosine_with_the_mean_direction(
    table: pa.Table, directions: np.ndarray
) -> None:
    found = components(mutual(*nearest(table, N)), 0.8, 2)
    made = cohesions(found, in_blocks(directions))
    assert len(made) == len(found.sizes) > 3
    for i, value in enumerate(made):
        rows = directions[found.family(i)].astype(np.float64)
        mean = rows.mean(axis=0)
        assert value == pytest.approx((rows @ mean / np.linalg.norm(mean)).mean(), abs=1e-6)


def test_tokens_of_a_family_are_those_that_most_members_promote(table: pa.Table) -> None:
    found = components(mutual(*nearest(table, N)), 0.8, 2)
    made = family_tokens(found, table, 4)
    rows = table.to_pylist()
    for i, tokens in enumerate(made):
        members = found.family(i).tolist()
        score: dict[int, float] = {}
        count: dict[int, int] = {}
        for member in members:
            row = rows[member]
            for token, weight in zip(row["top_token"], row["top_weight"], strict=True):
                z = (weight - row["logit_mean"]) / row["logit_std"] if row["logit_std"] else 0
                score[token] = score.get(token, 0) + z / len(members)
                count[token] = count.get(token, 0) + 1
        expected = sorted(count, key=lambda t: (-count[t], -score[t], t))[:4]
        assert [t.token_id for t in tokens] == expected
        assert [t.count for t in tokens] == [count[t] for t in expected]
        assert [t.text for t in tokens] == [f"t{t}" for t in expected]
        np.testing.assert_allclose([t.score for t in tokens], [score[t] for t in expected])


def test_without_logit_weights_families_have_no_tokens(table: pa.Table) -> None:
    found = components(mutual(*nearest(table, N)), 0.8, 2)
    nothing = pa.nulls(N, pa.list_(pa.uint32()))
    at = table.column_names.index("top_token")
    without = table.set_column(at, "top_token", nothing)
    assert family_tokens(found, without) == [()] * len(found.sizes)


def test_an_sae_without_families() -> None:
    empty = pa.table(
        {
            "neighbour": pa.array([[]] * 5, pa.list_(pa.uint32())),
            "neighbour_cosine": pa.array([[]] * 5, pa.list_(pa.float32())),
            "top_token": pa.nulls(5, pa.list_(pa.uint32())),
        }
    )
    graph = mutual(*nearest(empty, 5))
    assert isinstance(graph, Graph)
    found = components(graph, 0.5, 2)
    assert isinstance(found, Components)
    assert named(found, cohesions(found, iter(())), family_tokens(found, empty)) == ()
    assert sizes_of(found, 0.5, 5).median is None


def test_the_graph_for_umap_has_each_feature_itself_first(
    table: pa.Table, directions: np.ndarray
) -> None:
    has = np.flatnonzero(directions.any(axis=1))
    ids, distances = neighbour_graph(*nearest(table, N), has, 5)
    assert ids.shape == distances.shape == (len(has), 5)
    near = table.column("neighbour").to_pylist()
    for row, feature in enumerate(has.tolist()):
        assert ids[row, 0] == row
        assert has[ids[row, 1:]].tolist() == near[feature][:4]
    cosines = np.einsum("nkd,nd->nk", directions[has][ids[:, 1:]], directions[has])
    np.testing.assert_allclose(distances[:, 1:], 1 - cosines, atol=1e-5)
    assert not distances[:, 0].any()
    assert neighbour_graph(*nearest(table, N), has, 20)[0].shape[1] == 1 + K


@pytest.mark.thorough  # numba compiles for ten seconds
def test_umap_keeps_neighbours_and_gives_the_same_map_again(
    table: pa.Table, directions: np.ndarray
) -> None:
    start = principal_components(lambda: in_blocks(directions))
    graph = neighbour_graph(*nearest(table, N), start.features, 6)
    done: list[int] = []
    points = umap_points(start.points, *graph, min_dist=0.1, seed=3, epoch=done.append)
    assert points.shape == (len(start.features), 2)
    assert np.isfinite(points).all()
    assert max(done) == 500
    assert done == sorted(done)
    again = umap_points(start.points, *graph, min_dist=0.1, seed=3)
    np.testing.assert_array_equal(points, again)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    near = np.take_along_axis(apart, graph[0][:, 1:], axis=1)
    assert np.median(near) < np.median(apart) / 4

    class Stop(Exception):
        pass

    def stop(epochs: int) -> None:
        if epochs >= 30:
            raise Stop

    with pytest.raises(Stop):
        umap_points(start.points, *graph, min_dist=0.1, seed=3, epoch=stop)
    flat = np.zeros_like(start.points)
    assert np.isfinite(umap_points(flat, *graph, min_dist=0.1, seed=3)).all()


def made_map(sae_id: str = "a/b", seed: int = 0) -> FeatureMap:
    rng = np.random.default_rng(seed)
    parameters = {"method": "umap", "seed": seed}
    x, y = rng.normal(size=(2, 7)).astype(np.float32)
    features = np.arange(7, dtype=np.int32) * 2
    return FeatureMap(
        map_id("weights", parameters), sae_id, "umap", features, x, y, None, parameters
    )


def test_a_kept_map_reads_back_the_same(tmp_path: Path) -> None:
    files, made = MapFiles(tmp_path), made_map()
    assert files.get(made.sae_id, made.map_id) is None
    files.keep(made, "weights")
    read = files.get(made.sae_id, made.map_id)
    assert read is not None
    for name in ("map_id", "sae_id", "method", "explained", "parameters"):
        assert getattr(read, name) == getattr(made, name)
    for name in ("features", "x", "y"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
        assert getattr(read, name).dtype == getattr(made, name).dtype


def test_maps_of_other_weights_go_and_damaged_ones_are_none(tmp_path: Path) -> None:
    files, made, other = MapFiles(tmp_path), made_map(), made_map(seed=1)
    files.keep(made, "old weights")
    files.keep(other, "weights")
    assert files.get(made.sae_id, made.map_id) is None
    (file,) = tmp_path.glob("derived/maps/*/*.parquet")
    content = file.read_bytes()
    for damaged in (content[:100], b"", b"PAR1"):
        file.write_bytes(damaged)
        assert files.get(other.sae_id, other.map_id) is None
    pq.write_table(pa.table({"x": [1.0]}), file)
    assert files.get(other.sae_id, other.map_id) is None
    files.keep(other, "weights")
    assert files.get(other.sae_id, other.map_id) is not None


def test_the_id_of_a_map_follows_from_weights_and_parameters() -> None:
    ids = {
        map_id(weights, parameters)
        for weights in ("a", "b")
        for parameters in ({"method": "pca"}, {"method": "umap", "seed": 0})
    }
    assert len(ids) == 4
    assert map_id("a", {"x": 1, "y": 2}) == map_id("a", {"y": 2, "x": 1})


def test_directions_come_from_the_weights_on_disk(tmp_path: Path) -> None:
    tensors = tiny.sae_tensors(d_sae=40)
    tensors["W_dec"][7] = 0
    tiny.save_sae(tmp_path, "vectors/one", "standard", tensors)
    vectors = Vectors(SaeCatalogue((tmp_path,)))
    W_dec = tensors["W_dec"].astype(np.float64)
    lengths = np.linalg.norm(W_dec, axis=1, keepdims=True)
    unit = W_dec / np.where(lengths > 0, lengths, 1)
    np.testing.assert_allclose(vectors.rows("vectors/one", [39, 0, 7]), unit[[39, 0, 7]], atol=1e-6)
    found = np.concatenate([rows for _, rows in vectors.blocks("vectors/one")])
    np.testing.assert_allclose(found, unit, atol=1e-6)
    space = vectors.space("vectors/one")
    assert space is not None
    assert (space.model_id, space.hook_name) == ("tiny", "model.layers.1.output")
    assert space.width == tiny.D_MODEL
    with pytest.raises(NotFound, match="0 to 39"):
        vectors.rows("vectors/one", [40])
    with pytest.raises(NotFound):
        vectors.size("nobody")


def test_a_decoder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = tiny.save_sae(tmp_path, "torn", "standard")
    vectors = Vectors(SaeCatalogue((tmp_path,)))
    assert vectors.size("torn") == 256
    weights = folder / tiny.WEIGHTS
    header = int.from_bytes(weights.read_bytes()[:8], "little")
    content = bytearray(weights.read_bytes())
    told = json.loads(content[8 : 8 + header])
    told["W_xxx"] = told.pop("W_dec")
    text = json.dumps(told).encode().ljust(header)
    if len(text) == header:
        content[8 : 8 + header] = text
        weights.write_bytes(bytes(content))
    else:
        weights.write_bytes(bytes(content[:100]))
    with pytest.raises((Unsupported, NotFound)):
        vectors.rows("torn", [0])
