"""Encoding: sae-lens' numbers, and the numbers that the formulas give on the raw arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.errors import Unsupported
from services.sae import encode
from services.sae.encode import encode_features
from tests import tiny

X = torch.randn(40, tiny.D_MODEL, generator=torch.Generator().manual_seed(5))
ALL = [True] * len(X)


def dense(encoded, d_sae):
    """[n, d_sae] from the kept columns."""
    full = np.zeros((len(encoded.l0), d_sae), np.float32)
    for row, (ids, values) in enumerate(zip(encoded.feature_ids, encoded.activations, strict=True)):
        full[row, ids[ids >= 0]] = values[ids >= 0]
    return full


def by_formula(tensors, x, architecture, k=None, *, scaled=False, subtract=True):
    """Feature activations from the raw arrays, in float64."""
    t = {name: a.astype(np.float64) for name, a in tensors.items()}
    x = np.asarray(x, np.float64)
    hidden = (x - t["b_dec"] if subtract else x) @ t["W_enc"] + t["b_enc"]
    if "topk" in architecture:
        if scaled:
            hidden = hidden * np.linalg.norm(t["W_dec"], axis=1)
        size = np.abs(hidden) if architecture == "abstopk" else hidden
        cut = np.sort(size, 1)[:, -k][:, None]
        kept = np.where(size >= cut, hidden, 0)
        return kept if architecture == "abstopk" else np.maximum(kept, 0)
    threshold = t["threshold"] if architecture.startswith("jumprelu") else 0
    return np.where(hidden > np.maximum(threshold, 0), hidden, 0)


def by_sae_lens(folder, x):
    from sae_lens import SAE

    sae = SAE.load_from_disk(folder)
    if sae.cfg.reshape_activations == "hook_z":
        sae.turn_off_forward_pass_hook_z_reshaping()
    with torch.no_grad():
        return sae.encode(x).numpy()


NATIVE = [
    ("standard", {}),
    ("standard", {"apply_b_dec_to_input": False}),
    ("standard", {"normalize_activations": "layer_norm"}),
    ("standard", {"normalize_activations": "constant_norm_rescale"}),
    ("jumprelu", {}),
    ("jumprelu", {"apply_b_dec_to_input": False}),
    ("topk", {"k": 12}),
    ("topk", {"k": 12, "rescale_acts_by_decoder_norm": True}),
    ("abstopk", {"k": 12}),
    ("abstopk", {"k": 12, "rescale_acts_by_decoder_norm": True}),
]


@pytest.mark.parametrize(("architecture", "cfg"), NATIVE)
def test_native_encoders_give_the_numbers_of_sae_lens(open_sae, tmp_path, architecture, cfg):
    sae = open_sae(architecture=architecture, **cfg)
    expected = by_sae_lens(tmp_path / "saes/tiny-sae", X)
    got = sae.encode(X).numpy()
    assert type(sae).__name__ == "NativeSae"
    assert (expected != 0).any()
    assert ((got != 0) == (expected != 0)).all()
    np.testing.assert_allclose(got, expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("architecture", ["transcoder", "skip_transcoder", "jumprelu_transcoder"])
def test_transcoders_never_subtract_the_bias_of_what_they_write(open_sae, tmp_path, architecture):
    tensors = tiny.sae_tensors(d_out=48)
    if architecture == "skip_transcoder":
        tensors["W_skip"] = np.ones((48, 64), np.float32)
    sae = open_sae(architecture=architecture, tensors=tensors, d_out=48)
    np.testing.assert_allclose(
        sae.encode(X).numpy(), by_sae_lens(tmp_path / "saes/tiny-sae", X), atol=1e-4
    )


def test_gated_saes_are_computed_by_sae_lens(open_sae, tmp_path):
    tensors = tiny.sae_tensors()
    rng = np.random.default_rng(4)
    del tensors["b_enc"]
    for name in ("b_gate", "b_mag", "r_mag"):
        tensors[name] = rng.normal(0, 0.5, 256).astype(np.float32)
    sae = open_sae(architecture="gated", tensors=tensors)
    gate, magnitude = (
        (X.numpy() - tensors["b_dec"]) @ w + b
        for w, b in (
            (tensors["W_enc"], tensors["b_gate"]),
            (tensors["W_enc"] * np.exp(tensors["r_mag"]), tensors["b_mag"]),
        )
    )
    expected = np.where(gate > 0, np.maximum(magnitude, 0), 0)
    assert type(sae).__name__ == "SaeLensSae"
    np.testing.assert_allclose(sae.encode(X).numpy(), expected, atol=1e-4, rtol=1e-5)
    encoded = encode_features(sae, X, 20, ALL)
    assert (encoded.l0 == (expected != 0).sum(1)).all()


def test_a_batchtopk_sae_trained_and_saved_by_sae_lens_is_read_as_it_was_meant(tmp_path):
    from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
    from sae_lens.saes.sae import SAEMetadata

    from services.sae.catalogue import SaeCatalogue
    from services.sae.loader import load_sae

    torch.manual_seed(0)
    meta = SAEMetadata(model_name="tiny", hook_name="blocks.1.hook_resid_post")
    trained = BatchTopKTrainingSAE(
        BatchTopKTrainingSAEConfig(d_in=64, d_sae=256, k=8, metadata=meta)
    )
    with torch.no_grad():
        trained.W_dec.data *= torch.rand(256, 1) + 0.5
        trained.b_enc.data.normal_(0, 0.1)
        hidden = ((X - trained.b_dec) @ trained.W_enc + trained.b_enc) * trained.W_dec.norm(dim=-1)
        trained.topk_threshold.fill_(hidden.quantile(0.95))
        expected = torch.where(hidden > trained.topk_threshold, hidden, 0).numpy()
    trained.save_inference_model(tmp_path / "saes/b")
    entry = SaeCatalogue([tmp_path]).get("b")
    got = load_sae(entry, torch.device("cpu")).encode(X).numpy()
    assert entry.info.architecture == "jumprelu" and (expected > 0).any()
    np.testing.assert_allclose(got, expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "cfg"), [c for c in NATIVE if "normalize_activations" not in c[1]]
)
def test_native_encoders_give_what_the_formula_gives(open_sae, architecture, cfg):
    tensors = tiny.sae_tensors(seed=2)
    tensors["threshold"] = np.random.default_rng(1).uniform(-2, 9, 256).astype(np.float32)
    sae = open_sae(architecture=architecture, tensors=tensors, **cfg)
    expected = by_formula(
        tensors,
        X,
        architecture,
        cfg.get("k"),
        scaled=cfg.get("rescale_acts_by_decoder_norm", False),
        subtract=cfg.get("apply_b_dec_to_input", True),
    )
    np.testing.assert_allclose(sae.encode(X).numpy(), expected, atol=1e-4, rtol=1e-5)


def test_a_dropped_threshold_would_be_noticed(open_sae):
    """Wrong number 1 of the design: JumpReLU run as plain ReLU. The comparison can fail."""
    tensors = tiny.sae_tensors()
    tensors["threshold"] = np.full(256, 5, np.float32)
    right = open_sae(architecture="jumprelu", tensors=tensors).encode(X).numpy()
    wrong = by_formula(tensors, X, "standard")
    assert (np.count_nonzero(wrong, 1) > 1.2 * np.count_nonzero(right, 1)).all()
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(right, wrong, atol=1e-4, rtol=1e-5)


def test_a_recorded_input_scale_is_folded_once(open_sae):
    tensors = tiny.sae_tensors()
    tensors["threshold"] = np.full(256, 3, np.float32)
    sae = open_sae(
        tensors=tensors, normalize_activations="expected_average_only_in", norm_scaling_factor=0.25
    )
    expected = by_formula(tensors, X.numpy() * 0.25, "jumprelu")
    np.testing.assert_allclose(sae.encode(X).numpy(), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.25, 3.0])
def test_a_folded_scale_leaves_the_choice_of_topk_alone(open_sae, scale):
    """As sae-lens folds: W_dec shrinks by the scale, so that scaled pre-activations stay true."""
    tensors = tiny.sae_tensors()
    options = {"k": 9, "rescale_acts_by_decoder_norm": True, "norm_scaling_factor": scale}
    sae = open_sae(
        "a", "topk", tensors, normalize_activations="expected_average_only_in", **options
    )
    folded = dict(tensors)
    folded["W_enc"] = tensors["W_enc"] * scale
    folded["W_dec"] = tensors["W_dec"] / scale
    folded["b_dec"] = tensors["b_dec"] / scale
    expected = by_formula(folded, X, "topk", 9, scaled=True)
    np.testing.assert_allclose(sae.encode(X).numpy(), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(("hook", "centred"), [("hook_resid_pre", True), ("attn.hook_z", False)])
def test_an_sae_of_centred_weights_gets_centred_activations(open_sae, hook, centred):
    tensors = tiny.sae_tensors()
    sae = open_sae(
        architecture="standard",
        tensors=tensors,
        metadata={
            "hook_name": f"blocks.1.{hook}",
            "hf_hook_name": None,
            "model_from_pretrained_kwargs": {"center_writing_weights": True},
        },
    )
    x = X.numpy() + 3
    expected = by_formula(tensors, x - x.mean(1, keepdims=True) if centred else x, "standard")
    np.testing.assert_allclose(sae.encode(torch.tensor(x)).numpy(), expected, atol=2e-4)


def test_an_sae_on_attention_heads_reads_them_side_by_side(open_sae, tmp_path):
    sae = open_sae(metadata={"hook_name": "blocks.1.attn.hook_z"}, reshape_activations="hook_z")
    np.testing.assert_allclose(
        sae.encode(X).numpy(), by_sae_lens(tmp_path / "saes/tiny-sae", X), atol=1e-4
    )


def test_bfloat16_weights_are_computed_in_float32(open_sae, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tiny.save_sae(tmp_path / "other", architecture="standard")
    half = {n: t.bfloat16() for n, t in load_file(folder / tiny.WEIGHTS).items()}
    rounded = {name: tensor.float().numpy() for name, tensor in half.items()}
    sae = open_sae(architecture="standard", tensors=rounded)
    save_file(half, tmp_path / "saes/tiny-sae" / tiny.WEIGHTS)
    from services.sae.catalogue import SaeCatalogue
    from services.sae.loader import load_sae

    again = load_sae(SaeCatalogue([tmp_path]).get("tiny-sae"), torch.device("cpu"))
    assert again.encode(X).dtype == torch.float32
    assert torch.equal(again.encode(X.bfloat16()), sae.encode(X.bfloat16()))
    coarse = load_sae(
        SaeCatalogue([tmp_path]).get("tiny-sae"), torch.device("cpu"), torch.bfloat16
    ).encode(X)
    np.testing.assert_allclose(coarse.float().numpy(), sae.encode(X).numpy(), atol=0.3, rtol=0.05)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    n=st.integers(1, 9),
    top_k=st.integers(1, 40),
    d_sae=st.sampled_from([3, 60, 400]),
)
def test_the_kept_features_are_the_strongest_by_brute_force(seed, n, top_k, d_sae):
    rng = np.random.default_rng(seed)
    acts = rng.normal(size=(n, d_sae)).astype(np.float32) * (rng.random((n, d_sae)) < rng.random())
    counted = rng.random(n) < 0.6
    sae = Fixed(acts)
    encoded = encode_features(sae, torch.tensor(acts), top_k, list(counted))
    m = max(top_k, min(256, int((acts != 0).sum(1).max())))
    assert encoded.feature_ids.shape == encoded.activations.shape == (n, m)
    for row in range(n):
        order = np.argsort(-np.abs(acts[row]), kind="stable")[:m]
        order = order[acts[row][order] != 0]
        assert encoded.feature_ids[row].tolist() == order.tolist() + [-1] * (m - len(order))
        assert encoded.activations[row, : len(order)].tolist() == acts[row][order].tolist()
        assert not encoded.activations[row, len(order) :].any()
    assert encoded.l0.tolist() == (acts != 0).sum(1).tolist()
    assert encoded.feature_hits.tolist() == (acts[counted] != 0).sum(0).tolist()
    strongest = np.abs(acts[counted]).max(0) if counted.any() else np.zeros(d_sae)
    assert np.abs(encoded.feature_max).tolist() == strongest.tolist()
    assert all(v == 0 or v in acts[counted, f] for f, v in enumerate(encoded.feature_max))


class Fixed:
    """An SAE that gives its input back: the arrays to rank are the test's own."""

    capture_name, threads, needs_whole_sequence = "x", 1, False

    def __init__(self, acts):
        from services.types import SaeInfo

        d = acts.shape[1]
        self.info = SaeInfo("fixed", "tiny", "x", 0, d, d, "standard", "")

    def encode(self, x):
        return x.clone()


def test_the_columns_reach_256_and_no_further():
    acts = torch.rand(3, 500, generator=torch.Generator().manual_seed(0)) + 0.1
    encoded = encode_features(Fixed(acts), acts, 20, [True] * 3)
    assert encoded.feature_ids.shape == (3, 256) and (encoded.l0 == 500).all()
    assert (encoded.feature_hits == 3).all()  # also of features that were not kept
    np.testing.assert_array_equal(encoded.feature_max, acts.amax(0))


def test_results_do_not_depend_on_the_size_of_the_chunks(open_sae, monkeypatch):
    sae = open_sae()
    counted = [i % 3 != 0 for i in range(len(X))]
    whole = encode_features(sae, X, 5, counted)
    monkeypatch.setattr(encode, "_CHUNK_BYTES", 7 * 4 * 256)
    for a, b in zip(whole, encode_features(sae, X, 5, counted), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert dense(whole, 256).any()


def test_types_are_those_that_are_stored(open_sae):
    encoded = encode_features(open_sae(), X, 5, ALL)
    assert [a.dtype for a in encoded] == [np.int32, np.float32, np.int32, np.float32, np.int32]


def test_no_positions_give_empty_results(open_sae):
    encoded = encode_features(open_sae(), X[:0], 5, [])
    assert encoded.feature_ids.shape == (0, 5) and not encoded.feature_hits.any()


def test_activations_of_another_width_or_not_finite_are_refused(open_sae):
    sae = open_sae()
    with pytest.raises(Unsupported, match="another model"):
        encode_features(sae, X[:, :32], 5, ALL)
    with pytest.raises(Unsupported, match="not finite"):
        encode_features(sae, X / 0, 5, ALL)
