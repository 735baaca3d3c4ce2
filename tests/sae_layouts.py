"""Small SAEs in the on-disk layouts of their publishers, each with what it computes.

The arrays are random; `encode` and `decode` are written from the publishers' definitions on the
raw arrays, in float64, and share no code with the product.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

D_IN, D_SAE, K = 64, 96, 9
Function = Callable[[np.ndarray], np.ndarray]


@dataclass
class Made:
    """An SAE on disk: the folder to look at, and what it should compute."""

    path: Path
    encode: Function
    decode: Function | None = None  # from features, in the units that `encode` gives
    model: str | None = "tiny"
    hook: str | None = "blocks.1.hook_resid_post"
    origin: str = ""
    overrides: dict[str, Any] | None = None
    published: dict[str, float] | None = None


def arrays(seed: int = 0, d_out: int = D_IN) -> dict[str, np.ndarray]:
    """Encoder, decoder, biases and thresholds; exactly representable in bfloat16."""
    rng = np.random.default_rng(seed)
    lengths = rng.uniform(0.3, 2, (D_SAE, 1))
    raw = {
        "W_enc": rng.normal(size=(D_IN, D_SAE)),
        "b_enc": rng.normal(-1, 0.5, D_SAE),
        "W_dec": lengths * rng.normal(size=(D_SAE, d_out)) / 8,
        "b_dec": rng.normal(size=d_out),
        "threshold": rng.uniform(1, 9, D_SAE),
        "W_skip": rng.normal(size=(d_out, D_IN)),
    }
    as_bf16 = {n: torch.tensor(a, dtype=torch.bfloat16).float().numpy() for n, a in raw.items()}
    return as_bf16


def save(path: Path, tensors: dict[str, np.ndarray], dtype: torch.dtype = torch.float32) -> None:
    """A safetensors file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {n: torch.from_numpy(np.ascontiguousarray(t)).to(dtype) for n, t in tensors.items()}, path
    )


def write_json(path: Path, content: Any) -> None:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def jump(hidden: np.ndarray, threshold: Any) -> np.ndarray:
    """JumpReLU."""
    return np.where(hidden > threshold, hidden, 0)


def top(hidden: np.ndarray, k: int) -> np.ndarray:
    """The k largest per row, where positive."""
    cut = np.sort(hidden, -1)[..., -k][..., None]
    return np.where(hidden >= cut, np.maximum(hidden, 0), 0)


def linear(a: dict[str, np.ndarray], *, subtract: bool = False) -> Function:
    """Pre-activations of the arrays."""
    w = {n: v.astype(np.float64) for n, v in a.items()}
    return lambda x: (x - w["b_dec"] * subtract) @ w["W_enc"] + w["b_enc"]


def lens_cfg(architecture: str, **rest: Any) -> dict[str, Any]:
    """sae-lens' cfg.json since version 6."""
    return {
        "architecture": architecture, "d_in": D_IN, "d_sae": D_SAE, "dtype": "float32",
        "device": "cpu", "apply_b_dec_to_input": True, "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": "6.54.12", "model_name": "tiny",
            "hook_name": "blocks.1.hook_resid_post", "l0": 12.5,
        },
    } | rest  # fmt: skip


def _lens(folder: Path, cfg: dict[str, Any], tensors: dict[str, np.ndarray]) -> Path:
    save(folder / "sae_weights.safetensors", tensors)
    write_json(folder / "cfg.json", cfg)
    return folder


def _only(a: dict[str, np.ndarray], *names: str) -> dict[str, np.ndarray]:
    return {n: a[n] for n in ("W_enc", "b_enc", "W_dec", "b_dec", *names)}


def lens_standard(root: Path) -> Made:
    a = arrays()
    hidden = linear(a, subtract=True)
    path = _lens(root / "standard", lens_cfg("standard"), _only(a))
    return Made(
        path,
        lambda x: np.maximum(hidden(x), 0),
        lambda f: f @ a["W_dec"] + a["b_dec"],
        published={"l0": 12.5},
    )


def lens_jumprelu(root: Path) -> Made:
    a = arrays(1)
    hidden = linear(a)
    cfg = lens_cfg("jumprelu", apply_b_dec_to_input=False)
    path = _lens(root / "jumprelu", cfg, _only(a, "threshold"))
    return Made(path, lambda x: jump(hidden(x), a["threshold"]))


def lens_topk(root: Path) -> Made:
    a = arrays(2)
    hidden = linear(a, subtract=True)
    path = _lens(root / "topk", lens_cfg("topk", k=K), _only(a))
    return Made(path, lambda x: top(hidden(x), K))


def lens_gated(root: Path) -> Made:
    a, rng = arrays(3), np.random.default_rng(3)
    own = {n: rng.normal(0, 0.5, D_SAE).astype(np.float32) for n in ("b_gate", "b_mag", "r_mag")}
    tensors = {n: a[n] for n in ("W_enc", "W_dec", "b_dec")} | own
    path = _lens(root / "gated", lens_cfg("gated"), tensors)

    def encode(x: np.ndarray) -> np.ndarray:
        hidden = (x - a["b_dec"]).astype(np.float64) @ a["W_enc"]
        magnitude = np.maximum(hidden * np.exp(own["r_mag"]) + own["b_mag"], 0)
        return np.where(hidden + own["b_gate"] > 0, magnitude, 0)

    return Made(path, encode)


def lens_before_6(root: Path) -> Made:
    """One flat level, older names, a scale of the inputs that was never folded in."""
    a, scale = arrays(4), 0.37
    hidden = linear(a, subtract=True)
    cfg = {
        "d_in": D_IN, "d_sae": D_SAE, "dtype": "torch.float32", "model_name": "gpt2-small",
        "hook_point": "blocks.3.hook_resid_pre", "hook_point_layer": 3, "l1_coefficient": 5,
        "normalize_activations": "expected_average_only_in", "prepend_bos": True,
        "activation_fn_str": "relu", "model_from_pretrained_kwargs": {},
    }  # fmt: skip
    tensors = _only(a) | {"scaling_factor": np.ones(D_SAE, np.float32)}
    return Made(
        _lens(root / "before6", cfg, tensors),
        lambda x: np.maximum(hidden(x * scale), 0),
        lambda f: (f @ a["W_dec"] + a["b_dec"]) / scale,
        model="gpt2-small",
        hook="blocks.3.hook_resid_pre",
        overrides={"norm_scaling_factor": scale, "l0": 0.0, "neuronpedia_id": "gpt2-small/3-res"},
        published={},
    )


def lens_batchtopk_checkpoint(root: Path) -> Made:
    """A training checkpoint: one threshold on activations times the decoder's lengths."""
    a, scale, threshold = arrays(5), 1.7, 3.25
    hidden, lengths = (
        linear(a, subtract=True),
        np.linalg.norm(a["W_dec"].astype(np.float64), axis=1),
    )
    cfg = lens_cfg(
        "batchtopk", k=12.0, topk_threshold_lr=0.01, rescale_acts_by_decoder_norm=True,
        normalize_activations="expected_average_only_in", aux_loss_coefficient=1.0,
    )  # fmt: skip
    folder = _lens(root / "batchtopk", cfg, _only(a))
    save_file(
        {n: torch.from_numpy(t) for n, t in _only(a).items()}
        | {"topk_threshold": torch.tensor(threshold, dtype=torch.float64)},
        folder / "sae_weights.safetensors",
    )
    write_json(folder / "activation_scaler.json", {"scaling_factor": scale})
    (folder / "trainer_state.pt").write_bytes(b"PK\x03\x04 ignored")
    return Made(
        folder,
        # In the units of the activations, as sae-lens saves it: unit decoder rows, unscaled.
        lambda x: jump(hidden(x * scale) * lengths, threshold) / scale,
        lambda f: (f * scale / lengths @ a["W_dec"] + a["b_dec"]) / scale,
    )


def lens_skip_transcoder(root: Path) -> Made:
    a = arrays(6, d_out=48)
    hidden = linear({**a, "b_dec": np.zeros(D_IN)})
    meta = lens_cfg("x")["metadata"] | {
        "hook_name": "blocks.1.ln2.hook_normalized", "hook_name_out": "blocks.1.hook_mlp_out",
    }  # fmt: skip
    cfg = lens_cfg("jumprelu_skip_transcoder", d_out=48, metadata=meta)
    path = _lens(root / "skip", cfg, _only(a, "threshold", "W_skip"))
    return Made(
        path, lambda x: jump(hidden(x), a["threshold"]), hook="blocks.1.ln2.hook_normalized"
    )


def lens_hook_z(root: Path) -> Made:
    a = arrays(7)
    hidden = linear(a, subtract=True)
    meta = lens_cfg("x")["metadata"] | {"hook_name": "blocks.1.attn.hook_z"}
    cfg = lens_cfg("standard", reshape_activations="hook_z", metadata=meta)
    return Made(
        _lens(root / "z", cfg, _only(a)),
        lambda x: np.maximum(hidden(x), 0),
        hook="blocks.1.attn.hook_z",
    )


def _gemma(root: Path, repository: str, inside: str, a: dict[str, np.ndarray], **made: Any) -> Made:
    folder = root / repository / inside
    folder.mkdir(parents=True)
    np.savez(folder / "params.npz", **a)
    hidden = linear({**a, "b_dec": np.zeros(1)})
    made = {"model": "gemma-2-2b", "published": {"l0": 71.0}} | made
    return Made(
        root / repository,
        lambda x: jump(hidden(x), a["threshold"]),
        lambda f: f @ a["W_dec"] + a["b_dec"],
        **made,
    )


def gemma_scope(root: Path) -> Made:
    a = _only(arrays(8), "threshold")
    inside = "layer_12/width_16k/average_l0_71"
    return _gemma(root, "gemma-scope-2b-pt-res", inside, a, hook="blocks.12.hook_resid_post")


def gemma_scope_attention(root: Path) -> Made:
    a = _only(arrays(9), "threshold")
    inside = "layer_5/width_16k/average_l0_71"
    name = "models--google--gemma-scope-9b-it-att/snapshots"
    return _gemma(root, name, inside, a, hook="blocks.5.attn.hook_z", model="gemma-2-9b-it")


def gemma_scope_transcoder(root: Path) -> Made:
    a = _only(arrays(10), "threshold")
    inside = "layer_3/width_16k/average_l0_71"
    hook = "blocks.3.ln2.hook_normalized"
    return _gemma(root, "gemma-scope-2b-pt-transcoders", inside, a, hook=hook)


def gemma_scope_embedding(root: Path) -> Made:
    """Trained on embeddings before the model's factor of sqrt(d_model)."""
    a = _only(arrays(11), "threshold")
    made = _gemma(
        root, "gemma-scope-2b-pt-res", "embedding/width_4k/average_l0_71", a, hook="hook_embed"
    )
    encode, root_d = made.encode, D_IN**0.5
    made.encode = lambda x: encode(x / root_d)
    made.decode = lambda f: (f @ a["W_dec"] + a["b_dec"]) * root_d
    return made


def gemma_scope_2(root: Path) -> Made:
    a = arrays(12)
    folder = root / "gemma-scope-2-1b-it" / "resid_post" / "layer_13_width_16k_l0_small"
    theirs = {n.lower(): v for n, v in _only(a, "threshold").items()}
    save(folder / "params.safetensors", theirs)
    write_json(
        folder / "config.json",
        {
            "architecture": "jump_relu", "model_name": "gemma-v3-1b-it", "width": D_SAE, "l0": 20,
            "hf_hook_point_in": "model.layers.13.output", "type": "sae",
        },
    )  # fmt: skip
    hidden = linear(a)
    return Made(
        root / "gemma-scope-2-1b-it",
        lambda x: jump(hidden(x), a["threshold"]),
        lambda f: f @ a["W_dec"] + a["b_dec"],
        model="google/gemma-3-1b-it",
        hook="blocks.13.hook_resid_post",
        published={"l0": 20.0},
    )


def gemma_scope_2_transcoder(root: Path) -> Made:
    """Affine, and without the config.json that some lack."""
    a = arrays(13)
    folder = root / "gemma-scope-2-270m-pt" / "transcoder_all" / "layer_3_width_16k_l0_big_affine"
    theirs = {n.lower(): v for n, v in _only(a, "threshold").items()}
    save(folder / "params.safetensors", theirs | {"affine_skip_connection": a["W_skip"].T})
    hidden = linear({**a, "b_dec": np.zeros(1)})
    return Made(
        root / "gemma-scope-2-270m-pt",
        lambda x: jump(hidden(x), a["threshold"]),
        model="google/gemma-3-270m",
        hook="blocks.3.hook_mlp_in",
    )


def llama_scope(root: Path) -> Made:
    """Dataset norm, a threshold in unscaled units, decoder norms in the sparsity; bfloat16."""
    a, norm, threshold = arrays(14), 12.125, 4.5
    folder = root / "Llama3_1-8B-Base-L16R-8x"
    theirs = {
        "encoder.weight": a["W_enc"].T, "encoder.bias": a["b_enc"],
        "decoder.weight": a["W_dec"].T, "decoder.bias": a["b_dec"],
    }  # fmt: skip
    save(folder / "checkpoints" / "final.safetensors", theirs, torch.bfloat16)
    write_json(
        folder / "hyperparams.json",
        {
            "hook_point_in": "blocks.16.hook_resid_post", "d_model": D_IN, "d_sae": D_SAE,
            "hook_point_out": "blocks.16.hook_resid_post", "act_fn": "jumprelu", "top_k": 50,
            "jump_relu_threshold": threshold, "norm_activation": "dataset-wise",
            "dataset_average_activation_norm": {"in": norm, "out": norm},
            "sparsity_include_decoder_norm": True, "use_decoder_bias": True,
            "apply_decoder_bias_to_pre_encoder": False, "use_glu_encoder": False,
        },
    )  # fmt: skip
    scale = D_IN**0.5 / norm
    hidden, lengths = linear(a), np.linalg.norm(a["W_dec"].astype(np.float64), axis=1)

    def encode(x: np.ndarray) -> np.ndarray:
        h = hidden(x * scale)
        return np.where(h / scale * lengths > threshold, h, 0)

    return Made(
        folder,
        encode,
        lambda f: (f @ a["W_dec"] + a["b_dec"]) / scale,
        model="meta-llama/Llama-3.1-8B",
        hook="blocks.16.hook_resid_post",
    )


def llama_scope_r1(root: Path) -> Made:
    a, scale = arrays(15), 3.5
    folder = root / "Llama-Scope-R1-Distill" / "400M-Slimpajama-400M-OpenR1-Math-220k" / "L7R"
    theirs = {
        "encoder.weight": a["W_enc"].T, "encoder.bias": a["b_enc"],
        "decoder.weight": a["W_dec"].T, "decoder.bias": a["b_dec"],
        "log_jumprelu_threshold": np.log(a["threshold"]),
    }  # fmt: skip
    save(folder / "sae_weights.safetensors", theirs)
    write_json(
        folder / "config.json",
        {
            "sae_type": "sae", "hook_point_in": "blocks.7.hook_resid_post", "d_model": D_IN,
            "hook_point_out": "blocks.7.hook_resid_post", "expansion_factor": 1.5,
            "act_fn": "jumprelu", "norm_activation": "dataset-wise",
            "sparsity_include_decoder_norm": False,
        },
    )  # fmt: skip
    hidden = linear(a)
    return Made(
        root / "Llama-Scope-R1-Distill",
        lambda x: jump(hidden(x * scale), a["threshold"]),
        lambda f: (f @ a["W_dec"] + a["b_dec"]) / scale,
        model="deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
        hook="blocks.7.hook_resid_post",
        overrides={"norm_scaling_factor": scale},
    )


def bare(root: Path) -> Made:
    """Turned encoder and decoder, no bias of the encoder; model and hook unknown."""
    a = arrays(16)
    a["b_enc"] = np.zeros(D_SAE, np.float32)
    theirs = {"W_enc": a["W_enc"].T, "W_dec": a["W_dec"].T, "b_dec": a["b_dec"]}
    save(root / "mine" / "my_sae.safetensors", theirs)
    hidden = linear(a, subtract=True)
    return Made(
        root / "mine" / "my_sae.safetensors",
        lambda x: np.maximum(hidden(x), 0),
        lambda f: f @ a["W_dec"] + a["b_dec"],
        model=None,
        hook=None,
    )


def qwen_scope(root: Path) -> Made:
    """As its `.pt` gives it once converted."""
    a = arrays(17)
    folder = root / "SAE-Res-Qwen3-1.7B-Base-W32K-L0_9"
    theirs = {
        "W_enc": a["W_enc"].T, "W_dec": a["W_dec"].T, "b_enc": a["b_enc"], "b_dec": a["b_dec"],
    }  # fmt: skip
    save(folder / "layer4.sae.safetensors", theirs)
    hidden = linear(a)
    return Made(
        folder,
        lambda x: top(hidden(x), K),
        lambda f: f @ a["W_dec"] + a["b_dec"],
        model="Qwen/Qwen3-1.7B-Base",
        hook="blocks.4.hook_resid_post",
    )


def goodfire(root: Path) -> Made:
    """As its `.pth` gives it once converted."""
    a = arrays(18)
    theirs = {
        "encoder_linear.weight": a["W_enc"].T, "encoder_linear.bias": a["b_enc"],
        "decoder_linear.weight": a["W_dec"].T, "decoder_linear.bias": a["b_dec"],
    }  # fmt: skip
    save(root / "gf" / "Llama-3.1-8B-Instruct-SAE-l19.safetensors", theirs)
    hidden = linear(a)
    return Made(
        root / "gf",
        lambda x: np.maximum(hidden(x), 0),
        model="meta-llama/Llama-3.1-8B-Instruct",
        hook="blocks.19.hook_resid_post",
    )


def _dictionary(root: Path, kind: str, theirs: dict[str, Any], encode: Function) -> Made:
    folder = root / f"dl_{kind}" / "resid_post_layer_3" / "trainer_0"
    tensors = {n: torch.from_numpy(np.array(t, order="C")) for n, t in theirs.items()}
    folder.mkdir(parents=True)
    save_file(tensors, folder / "ae.safetensors")
    trainer = {
        "trainer_class": "X", "dict_class": kind, "activation_dim": D_IN, "dict_size": D_SAE,
        "layer": 3, "lm_name": "EleutherAI/pythia-70m-deduped", "k": K,
        "submodule_name": "resid_post_layer_3",
    }  # fmt: skip
    write_json(folder / "config.json", {"trainer": trainer, "buffer": {"ctx_len": 128}})
    write_json(folder / "eval_results.json", {"l0": 9.1, "frac_variance_explained": 0.81})
    return Made(
        root / f"dl_{kind}",
        encode,
        model="EleutherAI/pythia-70m-deduped",
        hook="blocks.3.hook_resid_post",
        published={"l0": 9.1, "explained_variance": 0.81},
    )


def _modules(a: dict[str, np.ndarray], bias: str = "b_dec") -> dict[str, np.ndarray]:
    return {
        "encoder.weight": a["W_enc"].T, "encoder.bias": a["b_enc"],
        "decoder.weight": a["W_dec"].T, bias: a["b_dec"],
    }  # fmt: skip


def dictionary_standard(root: Path) -> Made:
    a = arrays(19)
    hidden = linear(a, subtract=True)
    return _dictionary(root, "AutoEncoder", _modules(a, "bias"), lambda x: np.maximum(hidden(x), 0))


def dictionary_new(root: Path) -> Made:
    a = arrays(20)
    hidden = linear(a)
    theirs = _modules(a, "decoder.bias")
    return _dictionary(root, "AutoEncoderNew", theirs, lambda x: np.maximum(hidden(x), 0))


def dictionary_gated(root: Path) -> Made:
    a, rng = arrays(21), np.random.default_rng(21)
    own = {
        n: rng.normal(0, 0.5, D_SAE).astype(np.float32) for n in ("gate_bias", "mag_bias", "r_mag")
    }
    theirs = _modules(a, "decoder_bias") | own
    del theirs["encoder.bias"]

    def encode(x: np.ndarray) -> np.ndarray:
        hidden = (x - a["b_dec"]).astype(np.float64) @ a["W_enc"]
        magnitude = np.exp(own["r_mag"]) * hidden + own["mag_bias"]
        return (hidden + own["gate_bias"] > 0) * np.maximum(magnitude, 0)

    return _dictionary(root, "GatedAutoEncoder", theirs, encode)


def dictionary_jumprelu(root: Path) -> Made:
    a = arrays(22)
    hidden = linear(a)
    theirs = _only(a, "threshold")
    return _dictionary(
        root, "JumpReluAutoEncoder", theirs, lambda x: jump(hidden(x), a["threshold"])
    )


def dictionary_topk(root: Path) -> Made:
    a = arrays(23)
    hidden = linear(a, subtract=True)
    theirs = _modules(a) | {"k": np.array(K), "threshold": np.array(-1.0, np.float32)}
    return _dictionary(root, "AutoEncoderTopK", theirs, lambda x: top(hidden(x), K))


def dictionary_batchtopk(root: Path) -> Made:
    a = arrays(24)
    hidden = linear(a, subtract=True)
    theirs = _modules(a) | {"k": np.array(K), "threshold": np.array(4.5, np.float32)}
    return _dictionary(root, "BatchTopKSAE", theirs, lambda x: jump(hidden(x), 4.5))


def dictionary_matryoshka(root: Path) -> Made:
    a = arrays(25)
    hidden = linear(a, subtract=True)
    theirs = _only(a) | {
        "k": np.array(K), "threshold": np.array(3.5, np.float32), "group_sizes": np.array([32, 64]),
    }  # fmt: skip
    return _dictionary(root, "MatryoshkaBatchTopKSAE", theirs, lambda x: jump(hidden(x), 3.5))


def _sparsify(root: Path, folder: str, a: dict[str, np.ndarray], **cfg: Any) -> Path:
    run = root / "sparsify-run"
    theirs = {
        "encoder.weight": a["W_enc"].T, "encoder.bias": a["b_enc"],
        "W_dec": a["W_dec"], "b_dec": a["b_dec"],
    }  # fmt: skip
    if cfg.get("skip_connection"):
        theirs["W_skip"] = a["W_skip"]
    save(run / folder / "sae.safetensors", theirs)
    plain = {
        "activation": "topk", "expansion_factor": 32, "normalize_decoder": True,
        "num_latents": D_SAE, "k": K, "multi_topk": False, "d_in": D_IN,
    }  # fmt: skip
    write_json(run / folder / "cfg.json", plain | cfg)
    write_json(run / "config.json", {"model": "EleutherAI/pythia-160m", "ctx_len": 2048})
    return run


def sparsify(root: Path) -> Made:
    a = arrays(26)
    hidden = linear(a, subtract=True)
    return Made(
        _sparsify(root, "layers.6", a),
        lambda x: top(hidden(x), K),
        lambda f: f @ a["W_dec"] + a["b_dec"],
        model="EleutherAI/pythia-160m",
        hook="blocks.6.hook_resid_post",
    )


def sparsify_transcoder(root: Path) -> Made:
    a = arrays(27)
    hidden = linear(a)
    return Made(
        _sparsify(root, "layers.6.mlp", a, transcode=True, skip_connection=True),
        lambda x: top(hidden(x), K),
        model="EleutherAI/pythia-160m",
        hook="blocks.6.mlp.hook_in",
    )


def transcoder(root: Path) -> Made:
    a = arrays(28)
    folder = root / "qwen3-4b-transcoders"
    save(folder / "layer_2.safetensors", _only(a) | {"W_enc": a["W_enc"].T})
    (folder / "config.yaml").write_text("model_name: Qwen/Qwen3-4B\nmodel_kind: transcoder_set\n")
    sizes = {"d_model": D_IN, "d_feature": D_SAE, "batch_size": 4096}
    lines = [f"{name}:\n    value: {size}\n" for name, size in sizes.items()]
    (folder / "wandb-config.yaml").write_text("".join(lines))
    hidden = linear(a)
    return Made(
        folder,
        lambda x: np.maximum(hidden(x), 0),
        lambda f: f @ a["W_dec"] + a["b_dec"],
        model="Qwen/Qwen3-4B",
        hook="blocks.2.mlp.hook_in",
    )


def cross_layer_transcoder(root: Path) -> Made:
    a, rng = arrays(29), np.random.default_rng(29)
    folder = root / "clt-gemma"
    theirs = {"W_enc_1": a["W_enc"].T, "b_enc_1": a["b_enc"], "b_dec_1": a["b_dec"]}
    save(folder / "W_enc_1.safetensors", theirs)
    decoders = rng.normal(size=(D_SAE, 3, D_IN)).astype(np.float32)
    save(folder / "W_dec_1.safetensors", {"W_dec_1": decoders})
    (folder / "config.yaml").write_text(
        'model_name: "google/gemma-2-2b"\nfeature_input_hook: hook_resid_mid  # before the norm\n'
        "feature_output_hook: hook_mlp_out\n"
    )
    hidden = linear(a)
    return Made(
        folder,
        lambda x: np.maximum(hidden(x), 0),
        lambda f: f @ decoders.sum(1) + a["b_dec"],
        model="google/gemma-2-2b",
        hook="blocks.1.hook_resid_mid",
    )


LAYOUTS: dict[str, tuple[str, Callable[[Path], Made]]] = {  # case: format it is found as, maker
    "sae-lens standard": ("sae_lens", lens_standard),
    "sae-lens jumprelu": ("sae_lens", lens_jumprelu),
    "sae-lens topk": ("sae_lens", lens_topk),
    "sae-lens gated": ("sae_lens", lens_gated),
    "sae-lens before 6": ("sae_lens", lens_before_6),
    "sae-lens batchtopk checkpoint": ("sae_lens", lens_batchtopk_checkpoint),
    "sae-lens skip transcoder": ("sae_lens", lens_skip_transcoder),
    "sae-lens hook_z": ("sae_lens", lens_hook_z),
    "gemma scope": ("gemma_scope", gemma_scope),
    "gemma scope attention": ("gemma_scope", gemma_scope_attention),
    "gemma scope transcoder": ("gemma_scope", gemma_scope_transcoder),
    "gemma scope embedding": ("gemma_scope", gemma_scope_embedding),
    "gemma scope 2": ("gemma_scope_2", gemma_scope_2),
    "gemma scope 2 transcoder": ("gemma_scope_2", gemma_scope_2_transcoder),
    "llama scope": ("llama_scope", llama_scope),
    "llama scope r1": ("llama_scope_r1", llama_scope_r1),
    "bare": ("bare", bare),
    "qwen scope, converted": ("bare", qwen_scope),
    "goodfire, converted": ("bare", goodfire),
    "dictionary_learning standard": ("dictionary_learning", dictionary_standard),
    "dictionary_learning new": ("dictionary_learning", dictionary_new),
    "dictionary_learning gated": ("dictionary_learning", dictionary_gated),
    "dictionary_learning jumprelu": ("dictionary_learning", dictionary_jumprelu),
    "dictionary_learning topk": ("dictionary_learning", dictionary_topk),
    "dictionary_learning batchtopk": ("dictionary_learning", dictionary_batchtopk),
    "dictionary_learning matryoshka": ("dictionary_learning", dictionary_matryoshka),
    "sparsify": ("sparsify", sparsify),
    "sparsify transcoder": ("sparsify", sparsify_transcoder),
    "transcoder": ("mwhanna_transcoder", transcoder),
    "cross-layer transcoder": ("mntss_clt_layer_transcoder", cross_layer_transcoder),
}
