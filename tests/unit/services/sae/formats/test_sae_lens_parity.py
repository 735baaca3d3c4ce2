"""sae-lens' own loaders, fed from disk, on the same files: the same features.

Where the two differ on purpose, the difference is stated and tested.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from services.sae.catalogue import SaeCatalogue
from services.sae.formats import Hints, convert, look
from services.sae.loader import load_sae
from tests.sae_layouts import D_IN, D_SAE, LAYOUTS, K

X = torch.randn(40, D_IN, generator=torch.Generator().manual_seed(3)) * 2
CPU = torch.device("cpu")
SIZES = {"d_in": D_IN, "d_sae": D_SAE}  # sae-lens takes them from tables of the real ones
RES = "google/gemma-scope-2b-pt-res"
CASES = {  # case: sae-lens' loader, repository, folder within, overrides, scale to fold
    "gemma scope": ("gemma_2", RES, "layer_12/width_16k/average_l0_71", SIZES, None),
    "gemma scope embedding": ("gemma_2", RES, "embedding/width_4k/average_l0_71", SIZES, None),
    "gemma scope attention": (
        "gemma_2",
        "google/gemma-scope-9b-it-att",
        "layer_5/width_16k/average_l0_71",
        SIZES,
        None,
    ),
    "gemma scope transcoder": (
        "gemma_2_transcoder",
        "google/gemma-scope-2b-pt-transcoders",
        "layer_3/width_16k/average_l0_71",
        SIZES | {"d_out": D_IN},
        None,
    ),
    "gemma scope 2": (
        "gemma_3",
        "google/gemma-scope-2-1b-it",
        "resid_post/layer_13_width_16k_l0_small",
        {},
        None,
    ),
    "llama scope r1": (
        "llama_scope_r1_distill",
        "fnlp/Llama-Scope-R1-Distill",
        "400M-Slimpajama-400M-OpenR1-Math-220k/L7R",
        {"d_sae": D_SAE},
        3.5,
    ),
    "qwen scope, converted": (
        "qwen_scope",
        "Qwen/SAE-Res-Qwen3-1.7B-Base-W32K-L0_9",
        "layer4.sae.pt",
        SIZES,
        None,
    ),
    "goodfire, converted": (
        "goodfire",
        "Goodfire/Llama-3.1-8B-Instruct-SAE-l19",
        "Llama-3.1-8B-Instruct-SAE-l19.pth",
        SIZES | {"dtype": "float32"},
        None,
    ),
    **{
        f"dictionary_learning {kind}": (
            "dictionary_learning_1",
            "x/y",
            "resid_post_layer_3/trainer_0",
            {},
            None,
        )
        for kind in ("standard", "gated", "jumprelu", "topk", "batchtopk", "matryoshka")
    },
    "transcoder": ("mwhanna_transcoder", "mwhanna/qwen3-4b-transcoders", "layer_2.safetensors",
                   {}, None),
    "cross-layer transcoder": ("mntss_clt_layer_transcoder", "mntss/clt", "1", {}, None),
}  # fmt: skip


def by_sae_lens(case, folder, monkeypatch, **more):
    """Features as sae-lens gives them after its own loader read the files in `folder`."""
    from sae_lens import SAE
    from sae_lens.loading import pretrained_sae_loaders as loaders

    name, repo_id, inside, overrides, scale = CASES[case]
    monkeypatch.setattr(loaders, "hf_hub_download", _from(folder))
    monkeypatch.setattr(loaders, "get_safetensors_tensor_shapes", _shapes_from(folder))
    monkeypatch.setattr("torch.load", lambda path, **_: load_file(_converted(Path(path))))
    cfg, state, _ = loaders.NAMED_PRETRAINED_SAE_LOADERS[name](
        repo_id, inside, "cpu", False, {"dtype": "float32", "device": "cpu"} | overrides | more
    )
    cfg = loaders.handle_config_defaulting(cfg)
    sae = SAE.from_dict(cfg)
    sae.load_state_dict({n: t.float() for n, t in state.items()})
    if scale is not None:
        sae.fold_activation_norm_scaling_factor(scale)
    if cfg.get("reshape_activations") == "hook_z":
        sae.turn_off_forward_pass_hook_z_reshaping()
    with torch.no_grad():
        return sae.encode(X).numpy(), cfg


def _from(folder):
    def download(repo_id, filename, subfolder=None, **_):
        path = folder / (subfolder or "") / filename
        if not _converted(path).exists():
            from huggingface_hub.utils import EntryNotFoundError

            raise EntryNotFoundError(filename)
        return str(path)

    return download


def _shapes_from(folder):
    return lambda _, name: {n: list(t.shape) for n, t in load_file(folder / name).items()}


def _converted(path):
    return path.with_suffix(".safetensors") if path.suffix in (".pt", ".pth") else path


def loaded(made, home):
    (found,) = look(made.path, Hints(made.origin, made.overrides or {})).found
    convert(found, home / "saes" / "x")
    entry = SaeCatalogue([home]).get("x")
    return load_sae(entry, CPU), entry


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", CASES)
def test_the_loader_of_sae_lens_gives_the_same_features(tmp_path, monkeypatch, case):
    made = LAYOUTS[case][1](tmp_path)
    sae, entry = loaded(made, tmp_path / "home")
    expected, cfg = by_sae_lens(case, made.path, monkeypatch)
    assert (expected != 0).any()
    np.testing.assert_allclose(sae.encode(X).numpy(), expected, atol=2e-4, rtol=1e-5)
    meta = cfg["metadata"]
    assert entry.config.hook_name == meta["hook_name"]
    assert entry.config.architecture == cfg["architecture"]
    assert entry.config.hf_hook_name == meta.get("hf_hook_name") or "qwen" in case
    # dictionary_learning's model keeps its owner here; Llama Scope R1's is what it was trained on.
    if case != "llama scope r1":
        assert entry.info.trained_on.endswith(meta["model_name"])


def _llama(tmp_path, *, by_length, unit_decoder):
    made = LAYOUTS["llama scope"][1](tmp_path)
    about, weights = made.path / "hyperparams.json", made.path / "checkpoints/final.safetensors"
    raw = json.loads(about.read_text()) | {"sparsity_include_decoder_norm": by_length}
    raw["jump_relu_threshold"] = 0.5
    about.write_text(json.dumps(raw))
    tensors = {n: t.float() for n, t in load_file(weights).items()}
    if unit_decoder:
        tensors["decoder.weight"] /= tensors["decoder.weight"].norm(dim=0)
    save_file({n: t.contiguous() for n, t in tensors.items()}, weights)
    return made


@pytest.mark.parametrize(
    ("by_length", "unit_decoder", "is_same"),
    [(False, False, True), (True, True, True), (True, False, False)],
)
def test_llama_scope_as_sae_lens_but_for_decoders_that_are_not_of_unit_length(
    tmp_path, monkeypatch, by_length, unit_decoder, is_same
):
    """sae-lens ignores `sparsity_include_decoder_norm`; it matters unless all lengths are 1."""
    made = _llama(tmp_path, by_length=by_length, unit_decoder=unit_decoder)
    sae, _ = loaded(made, tmp_path / "home")
    monkeypatch.setitem(
        CASES, "llama", ("llama_scope", "fnlp/x", made.path.name, {}, D_IN**0.5 / 12.125)
    )
    expected, _ = by_sae_lens("llama", made.path.parent, monkeypatch)
    got = sae.encode(X).numpy()
    assert (expected != 0).any()
    assert np.allclose(got, expected, atol=2e-4, rtol=1e-5) is is_same


def test_sparsify_reads_its_bias_where_sae_lens_does_not(tmp_path):
    """sparsify subtracts b_dec whatever `normalize_decoder` says; sae-lens ties the two."""
    made = LAYOUTS["sparsify"][1](tmp_path)
    _, entry = loaded(made, tmp_path / "home")
    assert entry.config.apply_b_dec_to_input
    from sae_lens.loading.pretrained_sae_loaders import get_sparsify_config_from_disk

    theirs = get_sparsify_config_from_disk(made.path / "layers.6")
    assert theirs["apply_b_dec_to_input"] is False
    assert (theirs["d_sae"], theirs["hook_name"], theirs["activation_fn_kwargs"]["k"]) == (
        entry.config.d_sae,
        entry.config.hook_name,
        entry.config.k,
    )


@pytest.mark.parametrize("kind", ["BatchTopK", "MatryoshkaBatchTopK"])
@pytest.mark.parametrize("rescale", [True, False])
def test_checkpoints_of_sae_lens_become_what_it_saves_for_inference(tmp_path, kind, rescale):
    import sae_lens
    from sae_lens import SAE
    from sae_lens.saes.sae import SAEMetadata

    torch.manual_seed(0)
    widths = {"matryoshka_widths": [32, D_SAE]} if kind.startswith("Mat") else {}
    config = getattr(sae_lens, f"{kind}TrainingSAEConfig")(
        **SIZES,
        **widths,
        k=K,
        rescale_acts_by_decoder_norm=rescale,
        normalize_activations="expected_average_only_in",
        metadata=SAEMetadata(model_name="tiny", hook_name="blocks.1.hook_resid_post"),
    )
    trained = getattr(sae_lens, f"{kind}TrainingSAE")(config)
    with torch.no_grad():
        trained.W_enc.data.normal_()
        trained.W_dec.data *= torch.rand(D_SAE, 1) * 10 + 5
        trained.b_enc.data.normal_(0, 0.1)
        trained.b_dec.data.normal_()
        trained.topk_threshold.fill_(9)
    checkpoint = tmp_path / "checkpoint"
    trained.save_model(checkpoint)
    (checkpoint / "activation_scaler.json").write_text('{"scaling_factor": 0.7}')
    trained.fold_activation_norm_scaling_factor(0.7)
    trained.save_inference_model(tmp_path / "inference")
    with torch.no_grad():
        expected = SAE.load_from_disk(tmp_path / "inference").encode(X).numpy()
    (found,) = look(checkpoint).found
    convert(found, tmp_path / "home" / "saes" / "x")
    entry = SaeCatalogue([tmp_path / "home"]).get("x")
    assert entry.info.architecture == "jumprelu" and (expected > 0).any()
    got = load_sae(entry, CPU).encode(X).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-4, rtol=1e-5)


NATIVE = ["sae-lens standard", "sae-lens jumprelu", "sae-lens topk", "sae-lens gated",
          "sae-lens skip transcoder"]  # fmt: skip


@pytest.mark.parametrize(
    "case", [*NATIVE, "gemma scope", "llama scope", "dictionary_learning gated"]
)
def test_what_is_written_is_read_by_sae_lens_itself(tmp_path, case):
    from sae_lens import SAE

    made = LAYOUTS[case][1](tmp_path)
    sae, entry = loaded(made, tmp_path / "home")
    theirs = SAE.load_from_disk(entry.path, dtype="float32")
    with torch.no_grad():
        np.testing.assert_allclose(
            sae.encode(X).numpy(), theirs.encode(X).numpy(), atol=1e-4, rtol=1e-5
        )
    assert theirs.cfg.metadata.model_name == made.model
    assert theirs.cfg.metadata.hook_name == made.hook
