"""Every layout: found, converted, loaded as at run time, computing what its arrays say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from services.sae.catalogue import SaeCatalogue
from services.sae.decode import load_decoder
from services.sae.formats import Hints, convert, look
from services.sae.loader import load_sae
from tests.sae_layouts import D_IN, LAYOUTS, arrays

X = np.random.default_rng(99).normal(0, 2, (40, D_IN)).astype(np.float32)
CPU = torch.device("cpu")


def found_in(made):
    looked = look(made.path, Hints(made.origin, made.overrides or {}))
    assert looked.problems == ()
    (found,) = looked.found
    return found


def loaded(made, root):
    """The SAE as it is computed at run time, after its conversion."""
    names = {"model_name": None if made.model else "m", "hook_name": made.hook or "blocks.0.hook_z"}
    convert(found_in(made), root / "home" / "saes" / "x", **names)
    return load_sae(SaeCatalogue([root / "home"]).get("x"), CPU)


@pytest.mark.parametrize("case", LAYOUTS)
def test_it_is_recognised_with_the_model_and_the_place_that_it_names(tmp_path, case):
    format, make = LAYOUTS[case]
    made = make(tmp_path)
    found = found_in(made)
    candidate = found.candidate()
    assert candidate.format == found.format == format
    assert (candidate.model_name or None, candidate.hook_name or None) == (made.model, made.hook)
    unknown = [("model_id", made.model), ("hook_name", made.hook)]
    assert candidate.needs == tuple(name for name, value in unknown if value is None)
    assert candidate.size_bytes >= sum(f.stat().st_size for f in found.files) > 0
    if made.published is not None:
        assert found.published == made.published


@pytest.mark.parametrize("case", LAYOUTS)
def test_features_are_what_the_publishers_definition_gives_on_the_raw_arrays(tmp_path, case):
    made = LAYOUTS[case][1](tmp_path)
    got = loaded(made, tmp_path).encode(torch.from_numpy(X)).numpy()
    expected = made.encode(X.astype(np.float64))
    assert 0.02 < np.count_nonzero(expected) / expected.size < 0.9
    # Weights kept in bfloat16 are rounded once more when a scale is folded into them.
    size = np.abs(expected).max()
    loose = case == "llama scope"
    if loose:
        assert ((got > 0) == (expected > 0)).mean() > 0.995
        kept = (got > 0) & (expected > 0)
        np.testing.assert_allclose(got[kept], expected[kept], atol=0.01 * size)
    else:
        np.testing.assert_allclose(got, expected, atol=1e-5 * size, rtol=1e-5)


DECODED = [
    "sae-lens standard", "sae-lens before 6", "sae-lens batchtopk checkpoint", "gemma scope",
    "gemma scope embedding", "gemma scope 2", "llama scope", "llama scope r1", "bare",
    "qwen scope, converted", "sparsify", "transcoder", "cross-layer transcoder",
]  # fmt: skip


@pytest.mark.parametrize("case", DECODED)
def test_reconstructions_are_what_the_publishers_definition_gives(tmp_path, case):
    made = LAYOUTS[case][1](tmp_path)
    sae = loaded(made, tmp_path)
    decoder = load_decoder(sae, SaeCatalogue([tmp_path / "home"]).get("x"))
    features = sae.encode(torch.from_numpy(X))
    got = decoder.reconstruct(torch.from_numpy(X), features).numpy()
    expected = made.decode(features.double().numpy())
    tolerance = 4e-3 if case == "llama scope" else 1e-5
    np.testing.assert_allclose(got, expected, atol=tolerance * np.abs(expected).max())


def test_weights_keep_their_dtype_and_thresholds_their_precision(tmp_path):
    made = LAYOUTS["llama scope"][1](tmp_path)
    sae = loaded(made, tmp_path)
    from safetensors.torch import load_file

    tensors = load_file(tmp_path / "home" / "saes" / "x" / "sae_weights.safetensors")
    dtypes = {name: t.dtype for name, t in tensors.items()}
    assert dtypes.pop("threshold") is torch.float32
    assert set(dtypes.values()) == {torch.bfloat16}
    assert sae.info.d_sae == 96


def test_skip_connections_are_turned_as_they_are_computed(tmp_path):
    """Gemma Scope 2 keeps [d_in, d_out]; a transcoder adds x @ W_skip.T."""
    made = LAYOUTS["gemma scope 2 transcoder"][1](tmp_path)
    sae = loaded(made, tmp_path)
    decoder = load_decoder(sae, SaeCatalogue([tmp_path / "home"]).get("x"))
    nothing = torch.zeros(len(X), sae.info.d_sae)
    a = arrays(13)
    got = decoder.reconstruct(torch.from_numpy(X), nothing).numpy()
    np.testing.assert_allclose(got, X @ a["W_skip"].T + a["b_dec"], atol=1e-3)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8"])
def test_npz_files_are_read_in_any_order_and_compression(tmp_path, compressed, dtype):
    made = LAYOUTS["gemma scope"][1](tmp_path)
    (file,) = made.path.rglob("params.npz")
    arrays = {n: np.asfortranarray(a).astype(dtype) for n, a in np.load(file).items()}
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    got = loaded(made, tmp_path).encode(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(got, made.encode(X.astype(np.float64)), atol=1e-3)


def test_a_file_inside_a_folder_can_be_named_itself(tmp_path):
    made = LAYOUTS["sae-lens standard"][1](tmp_path)
    for name in ("sae_weights.safetensors", "cfg.json"):
        (found,) = look(made.path / name).found
        assert (found.format, found.path) == ("sae_lens", "")
    scope = LAYOUTS["llama scope"][1](tmp_path)
    with pytest.raises(Exception, match="give the folder of both"):
        look(scope.path / "checkpoints" / "final.safetensors")
