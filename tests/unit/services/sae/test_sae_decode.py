"""Reconstruction against sae-lens' own forward pass, and against formulas on the raw arrays."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from services.sae.catalogue import SaeCatalogue
from services.sae.decode import load_decoder
from services.sae.loader import load_sae
from tests import tiny

X = torch.randn(30, tiny.D_MODEL, generator=torch.Generator().manual_seed(6)) * 3 + 0.5

LIKE_SAE_LENS = [
    ("standard", {}),
    ("standard", {"apply_b_dec_to_input": False}),
    ("standard", {"normalize_activations": "layer_norm"}),
    ("jumprelu", {"normalize_activations": "constant_norm_rescale"}),
    ("jumprelu", {}),
    ("topk", {"k": 12}),
    ("topk", {"k": 12, "rescale_acts_by_decoder_norm": True}),
    ("abstopk", {"k": 12, "rescale_acts_by_decoder_norm": True}),
    ("gated", {}),
    ("gated", {"normalize_activations": "layer_norm"}),
    ("matching_pursuit", {"residual_threshold": 0.5, "max_iterations": 5}),
    ("transcoder", {"d_out": tiny.D_MODEL}),
    ("skip_transcoder", {"d_out": tiny.D_MODEL}),
    ("jumprelu_transcoder", {"d_out": tiny.D_MODEL}),
    ("jumprelu_skip_transcoder", {"d_out": tiny.D_MODEL}),
]


def tensors_of(architecture):
    rng = np.random.default_rng(3)
    tensors = tiny.sae_tensors()
    if architecture == "gated":
        del tensors["b_enc"]
        for name in ("b_gate", "b_mag", "r_mag"):
            tensors[name] = rng.normal(0, 0.3, 256).astype(np.float32)
    if architecture == "matching_pursuit":
        del tensors["W_enc"], tensors["b_enc"]
        tensors["W_dec"] /= np.linalg.norm(tensors["W_dec"], axis=1, keepdims=True)
    if "skip" in architecture:
        tensors["W_skip"] = rng.normal(size=(tiny.D_MODEL, tiny.D_MODEL)).astype(np.float32)
    return tensors


def saved(root, architecture, cfg, metadata=None):
    tensors = tensors_of(architecture)
    if "W_enc" not in tensors:  # the helper reads the sizes off W_enc
        full = tiny.save_sae(root, "sizes", "standard")
        (full / "cfg.json").unlink()
    with_sizes = {"W_enc": tiny.sae_tensors()["W_enc"], **tensors}
    folder = tiny.save_sae(root, "one", architecture, with_sizes, metadata, **cfg)
    if "W_enc" not in tensors:
        from safetensors.numpy import save_file

        save_file(tensors, folder / tiny.WEIGHTS)
    (entry,) = [e for e in SaeCatalogue([root]).list() if e.info.sae_id == "one"]
    return entry, load_sae(entry, torch.device("cpu"))


def by_sae_lens(folder, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens import SAE

        sae = SAE.load_from_disk(folder)
    with torch.no_grad():
        return sae(x.unsqueeze(0))[0].numpy()


@pytest.mark.parametrize(("architecture", "cfg"), LIKE_SAE_LENS)
def test_reconstructions_are_those_of_sae_lens(tmp_path, architecture, cfg):
    entry, sae = saved(tmp_path, architecture, cfg)
    made = load_decoder(sae, entry).reconstruct(X, sae.encode(X)).numpy()
    expected = by_sae_lens(entry.path, X)
    np.testing.assert_allclose(made, expected, atol=2e-3 * np.abs(expected).max(), rtol=1e-4)


def test_features_of_other_rows_in_between_do_not_disturb_the_norms(tmp_path):
    entry, sae = saved(tmp_path, "gated", {"normalize_activations": "layer_norm"})
    features = sae.encode(X)
    decoder = load_decoder(sae, entry)
    expected = decoder.reconstruct(X, features)
    sae.encode(X[:3] * 7)
    assert torch.equal(decoder.reconstruct(X, features), expected)


def test_a_scale_that_the_weights_lack_is_undone_on_the_way_out(tmp_path):
    cfg = {"normalize_activations": "expected_average_only_in", "norm_scaling_factor": 0.25}
    entry, sae = saved(tmp_path, "standard", cfg)
    t = {name: array.astype(np.float64) for name, array in tiny.sae_tensors().items()}
    scaled = X.double().numpy() * 0.25
    hidden = np.maximum((scaled - t["b_dec"]) @ t["W_enc"] + t["b_enc"], 0)
    expected = (hidden @ t["W_dec"] + t["b_dec"]) / 0.25
    made = load_decoder(sae, entry).reconstruct(X, sae.encode(X))
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-4, atol=1e-2)


def test_the_mean_that_centring_took_away_is_given_back(tmp_path):
    metadata = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
    entry, sae = saved(tmp_path, "standard", {}, metadata)
    t = {name: array.astype(np.float64) for name, array in tiny.sae_tensors().items()}
    x = X.double().numpy()
    mean = x.mean(1, keepdims=True)
    hidden = np.maximum((x - mean - t["b_dec"]) @ t["W_enc"] + t["b_enc"], 0)
    expected = hidden @ t["W_dec"] + t["b_dec"] + mean
    made = load_decoder(sae, entry).reconstruct(X, sae.encode(X))
    np.testing.assert_allclose(made.numpy(), expected, rtol=1e-4, atol=1e-2)


def test_a_transcoder_is_judged_where_it_writes(tmp_path):
    cfg = {"d_out": tiny.D_MODEL}
    entry, sae = saved(tmp_path, "transcoder", cfg)
    assert load_decoder(sae, entry).target is None
    meta = {"hook_name_out": "blocks.1.hook_mlp_out"}
    entry, sae = saved(tmp_path / "other", "transcoder", cfg, meta)
    assert load_decoder(sae, entry).target == "blocks.1.hook_mlp_out"
