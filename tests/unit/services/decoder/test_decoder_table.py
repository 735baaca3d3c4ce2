"""Decoder tables against brute force: the whole small matrix in numpy."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from services.decoder import computing
from services.decoder.computing import influences, neighbours
from services.decoder.service import TOP_K, Decoders
from services.decoder.table import SCHEMA
from services.errors import Conflict, NotFound
from services.lm.catalogue import ModelCatalogue
from services.lm.loader import load_model
from services.lm.tokens import token_texts
from services.lm.unembedding import NormGain, Unembedding
from services.sae.catalogue import SaeCatalogue
from services.sae.loader import load_sae
from tests import tiny

CPU = torch.device("cpu")
K = 5


@pytest.fixture(scope="module")
def model_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    tiny.save_model(root, "tiny", "gpt2", seed=6)
    return root


@pytest.fixture(scope="module")
def lm(model_root):
    return load_model(ModelCatalogue([model_root]).get("tiny"), CPU, torch.float32)


@pytest.fixture
def make(lm, model_root, tmp_path):
    """Saves an SAE, makes its table; gives the table, the decoders and the SAE."""

    def made(*args, **options):
        tiny.save_sae(tmp_path, *args, **options)
        saes = SaeCatalogue([tmp_path])
        decoders = Decoders(tmp_path / "home", ModelCatalogue([model_root]), saes)
        sae = load_sae(saes.list()[0], CPU)
        return decoders.make(lm, sae), decoders, sae

    return made


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(computing, "_BLOCK", 1)  # 256 columns, the fewest
    monkeypatch.setattr("services.decoder.making.ROWS", 64)
    monkeypatch.setattr(computing, "ROWS", 64)


def run(generator):
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def ranked(values, k):
    """Ids of the `k` largest of each row; of equal ones the lower first."""
    return np.array([np.lexsort((np.arange(len(row)), -row))[:k] for row in values])


def brute_weights(lm, directions):
    """W_U · gain · (d - mean d) of a GPT-2, over the tokenizer's tokens, in float64."""
    model = lm.model
    gain = model.transformer.ln_f.weight.double().numpy()
    W_U = model.lm_head.weight.double().numpy()[: len(lm.tokenizer)]
    centred = directions - directions.mean(1, keepdims=True)
    return (centred * gain) @ W_U.T


def brute_cosines(directions):
    norms = np.linalg.norm(directions, axis=1, keepdims=True)
    unit = directions / np.where(norms > 0, norms, 1)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    dead = norms[:, 0] == 0
    cosines[dead] = cosines[:, dead] = -np.inf
    return cosines


def check(table, weights, cosines):
    """Every row of the table against the whole matrices."""
    rows = table.table().to_pylist()
    assert [row["feature"] for row in rows] == list(range(len(weights)))
    np.testing.assert_allclose([r["logit_mean"] for r in rows], weights.mean(1), atol=1e-5)
    np.testing.assert_allclose([r["logit_std"] for r in rows], weights.std(1), rtol=1e-5)
    for end, sign in (("top", 1), ("bottom", -1)):
        ids = np.array([row[f"{end}_token"] for row in rows])
        values = np.array([row[f"{end}_weight"] for row in rows])
        assert ids.shape == (len(weights), TOP_K)
        expected = np.take_along_axis(weights, ranked(sign * weights, TOP_K), 1)
        np.testing.assert_allclose(values, expected, atol=1e-4)
        np.testing.assert_allclose(values, np.take_along_axis(weights, ids, 1), atol=1e-4)
    for row, expected in zip(rows, cosines, strict=True):
        ids = np.array(row["neighbour"], int)
        n = min(TOP_K, int(np.isfinite(expected).sum()))
        assert len(ids) == n
        assert len(set(ids)) == n
        best = expected[ranked(expected[None], TOP_K)[0]][:n]
        np.testing.assert_allclose(row["neighbour_cosine"], best, atol=1e-5)
        np.testing.assert_allclose(row["neighbour_cosine"], expected[ids], atol=1e-5)


def test_every_row_is_what_the_whole_matrices_say(make, lm, small_pieces):
    tensors = tiny.sae_tensors(d_sae=300, seed=1)
    tensors["W_dec"][17] = 0
    table, _, _ = make("one", "jumprelu", tensors)
    directions = tensors["W_dec"].astype(np.float64)
    check(table, brute_weights(lm, directions), brute_cosines(directions))
    norms = table.table()["decoder_norm"].to_numpy()
    np.testing.assert_allclose(norms, np.linalg.norm(directions, axis=1), rtol=1e-6)
    reads = tensors["W_enc"].T.astype(np.float64)
    cosine = (reads * directions).sum(1) / np.linalg.norm(reads, axis=1) / np.maximum(norms, 1e-9)
    np.testing.assert_allclose(table.table()["encoder_cosine"], cosine, atol=1e-5)


def test_how_it_is_cut_changes_nothing(make, lm, small_pieces, monkeypatch):
    table, decoders, sae = make("one", "jumprelu", tiny.sae_tensors(d_sae=300, seed=1))
    small = table.table()
    monkeypatch.undo()
    table.path.unlink()
    whole = decoders.make(lm, sae).table()
    for name in ("neighbour", "top_token", "bottom_token"):
        assert whole[name].to_pylist() == small[name].to_pylist()


def test_scales_that_activations_carry_are_in_the_directions(make, lm):
    """A scale of the inputs divides what is written per unit; TopK may give unit lengths."""
    tensors = tiny.sae_tensors(d_sae=64, seed=2)
    table, _, _ = make(
        "scaled", "jumprelu", tensors, normalize_activations="expected_average_only_in",
        norm_scaling_factor=4.0,
    )  # fmt: skip
    directions = tensors["W_dec"].astype(np.float64) / 4
    check(table, brute_weights(lm, directions), brute_cosines(directions))


def test_activations_that_carry_the_decoders_length_write_unit_directions(make, lm):
    tensors = tiny.sae_tensors(d_sae=64, seed=2)
    table, _, _ = make("unit", "topk", tensors, k=4, rescale_acts_by_decoder_norm=True)
    directions = tensors["W_dec"].astype(np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    check(table, brute_weights(lm, directions), brute_cosines(directions))


def test_heads_are_seen_through_their_layers_matrix(make, lm):
    tensors = tiny.sae_tensors(d_sae=64, seed=3)
    hook = {"hook_name": "blocks.2.attn.hook_z", "hf_hook_name": None}
    table, _, _ = make("z", "standard", tensors, hook)
    W_O = lm.model.transformer.h[2].attn.c_proj.weight.double().numpy()
    directions = tensors["W_dec"].astype(np.float64)
    check(table, brute_weights(lm, directions @ W_O), brute_cosines(directions))
    assert table.info.writes_to.startswith("through transformer.h.2.attn.c_proj, added to")


def test_a_transcoder_is_seen_where_it_writes(make, lm):
    tensors = tiny.sae_tensors(d_sae=64, seed=3, d_out=tiny.D_MODEL)
    hooks = {
        "hook_name": "blocks.1.ln2.hook_normalized", "hf_hook_name": None,
        "hook_name_out": "blocks.1.hook_mlp_out",
    }  # fmt: skip
    table, _, _ = make("t", "transcoder", tensors, hooks, d_out=tiny.D_MODEL)
    directions = tensors["W_dec"].astype(np.float64)
    check(table, brute_weights(lm, directions), brute_cosines(directions))
    assert table.feature(0).encoder_cosine is None


def test_without_a_way_to_the_logits_there_are_neighbours_and_the_reason(make):
    hook = {"hook_name": "blocks.1.mlp.hook_in", "hf_hook_name": None}
    table, _, _ = make("in", "standard", tiny.sae_tensors(d_sae=64), hook)
    assert "mlp.hook_in does not go into the residual stream" in table.info.without_logits
    feature = table.feature(3)
    assert (feature.top, feature.bottom, feature.logit_mean) == ((), (), None)
    assert len(feature.neighbours) == TOP_K


def test_one_feature_is_a_row_of_the_table_with_texts_and_z(make, lm, small_pieces):
    table, decoders, _ = make("one", "jumprelu", tiny.sae_tensors(d_sae=300, seed=1))
    for i in (0, 63, 64, 299):
        feature, row = decoders.get("one").feature(i), table.table().slice(i, 1).to_pylist()[0]
        assert feature.feature_id == i
        ids = [token.token_id for token in feature.top]
        assert ids == row["top_token"]
        assert [t.token_str for t in feature.top] == token_texts(lm.tokenizer, ids)
        assert [t.z for t in feature.bottom] == pytest.approx(
            [(w - row["logit_mean"]) / row["logit_std"] for w in row["bottom_weight"]]
        )
        assert [n.feature_id for n in feature.neighbours] == row["neighbour"]
    with pytest.raises(NotFound, match="0 to 299"):
        table.feature(300)
    assert table.table().schema.equals(SCHEMA)
    batches = list(table.batches(60, 10))
    assert pa.Table.from_batches(batches)["feature"].to_pylist() == list(range(60, 70))


def test_it_is_made_once_and_again_when_the_sae_changes(make, lm, model_root, tmp_path):
    table, decoders, sae = make("one", "jumprelu", tiny.sae_tensors(d_sae=64, seed=1))
    before = table.path.stat().st_mtime_ns
    assert decoders.make(lm, sae) == table == decoders.get("one")
    assert table.path.stat().st_mtime_ns == before
    tensors = tiny.sae_tensors(d_sae=64, seed=8)
    (tmp_path / "saes" / "one").rename(tmp_path / "elsewhere")
    tiny.save_sae(tmp_path, "one", "jumprelu", tensors)
    assert decoders.get("one") is None
    with pytest.raises(NotFound, match="actiscope extract --sae one"):
        decoders.require("one")
    with pytest.raises(Conflict, match="changed since they were loaded"):
        decoders.make(lm, sae)
    entry = SaeCatalogue([tmp_path]).get("one")
    newer = decoders.make(lm, load_sae(entry, CPU))
    assert decoders.get("one") == newer
    assert [p for p in table.path.parent.iterdir() if p.is_file()] == [newer.path]


def test_stopped_or_broken_off_it_leaves_nothing(make, lm, tmp_path, small_pieces):
    _, decoders, sae = make("one", "jumprelu", tiny.sae_tensors(d_sae=300, seed=1))
    path = decoders.get("one").path
    path.unlink()
    seen = []
    stop = lambda: len(seen) > 3  # noqa: E731
    assert decoders.make(lm, sae, progress=lambda *step: seen.append(step), stop=stop) is None
    assert [step for step in seen if step[0] > step[1]] == []
    assert [p for p in path.parent.rglob("*") if p.is_file()] == []
    assert decoders.get("one") is None
    steps = decoders.steps(lm, sae)
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert done[-1] == 300


def test_ids_with_a_slash_have_folders_of_their_own(make, lm):
    table, decoders, _ = make("owner/one", "jumprelu", tiny.sae_tensors(d_sae=64))
    assert decoders.get("owner/one") == table
    assert table.path.parent.name == "owner%2Fone"
    with pytest.raises(NotFound):
        decoders.get("owner/two")


@pytest.mark.parametrize("columns", [40, 300, 1000])
def test_equal_weights_come_by_token_id(columns, monkeypatch):
    """Whole numbers, so that sums are exact and many weights are equal."""
    monkeypatch.setattr(computing, "_BLOCK", 1)
    rng = np.random.default_rng(columns)
    W_U = rng.integers(-2, 3, (columns, 4)).astype(np.float32)
    directions = rng.integers(-2, 3, (30, 4)).astype(np.float32)
    unembedding = Unembedding(torch.tensor(W_U), NormGain(False, None), 1.0, None)
    found = run(influences(unembedding, torch.tensor(directions), columns, K))
    weights = directions @ W_U.T
    assert np.array_equal(found.top[1].numpy(), ranked(weights, K))
    assert np.array_equal(found.bottom[1].numpy(), ranked(-weights, K))
    np.testing.assert_allclose(found.std, weights.std(1), atol=1e-6)


def test_equal_cosines_come_by_feature_id(monkeypatch):
    monkeypatch.setattr(computing, "_BLOCK", 1)
    rng = np.random.default_rng(1)
    unit = np.eye(6, dtype=np.float32)[rng.integers(0, 6, 700)] * rng.choice([-1, 1], (700, 1))
    unit[[3, 400]] = 0
    unit = unit.astype(np.float32)
    found = run(neighbours(torch.tensor(unit), slice(256, 512), K))
    cosines = brute_cosines(unit)[256:512]
    expected = ranked(cosines, K)
    is_there = np.isfinite(np.take_along_axis(cosines, expected, 1))
    assert np.array_equal(np.isfinite(found.cosines.numpy()), is_there)
    assert np.array_equal(found.ids.numpy()[is_there], expected[is_there])
