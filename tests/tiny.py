"""Tiny random checkpoints and SAEs in the layouts of real ones, made on the fly by tests.

Norm gains and biases are random too: with gains of 1 a forgotten gain would go unnoticed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "gpt2", "gpt_neox")
D_MODEL, N_LAYERS, N_CTX = 64, 3, 128
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
_SPECIAL = ["<pad>", "<bos>", "<eos>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
_CORPUS = ["the cat sat on the mat and the dog ran", "user system assistant", "naïve café 12 345"]


def byte_level_tokenizer(*, adds_bos: bool = True, template: str | None = CHAT_TEMPLATE) -> Any:
    """A byte-level BPE tokenizer as GPT-2, Llama 3 and Qwen have."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        _CORPUS,
        trainers.BpeTrainer(vocab_size=300, special_tokens=_SPECIAL, initial_alphabet=alphabet),
    )
    if adds_bos:
        backend.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", 1)]
        )
    return _wrapped(backend, bos="<bos>", eos="<|end|>", template=template)


def sentencepiece_tokenizer(*, template: str | None = None) -> Any:
    """A BPE tokenizer with ▁ and byte fallback as Llama 2 and Mistral have."""
    trained = Tokenizer(models.BPE())
    spaced = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained.normalizer = spaced
    trained.train_from_iterator(_CORPUS, trainers.BpeTrainer(vocab_size=90))
    learnt = json.loads(trained.to_str())["model"]
    names = ["<unk>", "<bos>", "<eos>", *(f"<0x{b:02X}>" for b in range(256))]
    names += [
        name for name in sorted(learnt["vocab"], key=learnt["vocab"].get) if name not in names
    ]
    backend = Tokenizer(
        models.BPE(
            vocab={name: id for id, name in enumerate(names)},
            merges=[tuple(merge) for merge in learnt["merges"]],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    backend.normalizer = spaced
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    backend.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return _wrapped(backend, bos="<bos>", eos="<eos>", template=template)


def _wrapped(backend: Tokenizer, bos: str, eos: str, template: str | None) -> Any:
    from transformers import PreTrainedTokenizerFast

    extra = [s for s in _SPECIAL if backend.token_to_id(s) is not None and s not in (bos, eos)]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=bos, eos_token=eos, extra_special_tokens=extra
    )
    tokenizer.chat_template = template
    return tokenizer


def causal_lm(family: str, seed: int = 0, **overrides: Any) -> Any:
    """A random model of the family, with 3 layers of width 64 over 320 token ids."""
    from transformers import AutoConfig, AutoModelForCausalLM

    name = "gemma3_text" if family == "gemma3" else family
    if family == "gemma3_seeing":
        name = "gemma3"
        overrides = {"text_config": _sizes("gemma3") | overrides, "vision_config": _EYE}
    else:
        overrides = _sizes(family) | overrides
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **overrides))
    for parameter in model.parameters():
        centre = 1.0 if parameter.ndim == 1 else 0.0
        torch.nn.init.normal_(parameter, centre, 0.3 if parameter.ndim == 1 else 0.12)
    model.generation_config.eos_token_id = 6
    return model.float().eval()


def language_model(family: str, dtype: torch.dtype = torch.float32, **options: Any) -> Any:
    """A random model of the family as the engine holds it, without files and a tokenizer."""
    from services.lm.language_model import LanguageModel
    from services.types import ModelInfo

    info = ModelInfo(family, N_LAYERS, D_MODEL, N_CTX, 320, None, False, f"random {family}")
    model = causal_lm(family, **options).to(dtype)
    cpu: Any = torch.device("cpu")
    return LanguageModel(info, None, model, cpu, dtype, frozenset(), frozenset(), 1, 1)  # type: ignore[arg-type]


_EYE = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2,
    "image_size": 28, "patch_size": 14,
}  # fmt: skip
_COMMON: dict[str, Any] = {
    "vocab_size": 320, "bos_token_id": 1, "eos_token_id": 6, "pad_token_id": 0
}  # fmt: skip
_GPT = {"n_embd": D_MODEL, "n_layer": N_LAYERS, "n_head": 4, "n_positions": N_CTX}
_MODERN = {
    "hidden_size": D_MODEL,
    "intermediate_size": 128,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": N_CTX,
}


def _sizes(family: str) -> dict[str, Any]:
    """Configuration values; they have other names in older families."""
    own: dict[str, dict[str, Any]] = {
        "gpt2": _GPT,
        "gptj": _GPT | {"rotary_dim": 8},
        "bloom": {"hidden_size": D_MODEL, "n_layer": N_LAYERS, "n_head": 4},
        "gpt_neo": {
            "hidden_size": D_MODEL, "num_layers": N_LAYERS, "num_heads": 4, "window_size": 16,
            "attention_types": [[["global", "local", "global"], 1]],
            "max_position_embeddings": N_CTX,
        },
        "opt": {
            "hidden_size": D_MODEL, "ffn_dim": 128, "num_hidden_layers": N_LAYERS,
            "num_attention_heads": 4, "max_position_embeddings": N_CTX,
            "word_embed_proj_dim": D_MODEL,
        },
        "gpt_neox": dict(list(_MODERN.items())[:4]) | {"max_position_embeddings": N_CTX},
    }  # fmt: skip
    sizes = _COMMON | own.get(family, _MODERN)
    return sizes | ({"sliding_window": 16} if family in ("gemma2", "gemma3") else {})


def save_model(root: Path, model_id: str, family: str = "llama", **options: Any) -> Path:
    """A checkpoint below `root`/models/ with a byte-level tokenizer; returns its folder."""
    folder = root / "models" / model_id
    tokenizer = options.pop("tokenizer", None) or byte_level_tokenizer()
    shards = {"max_shard_size": options.pop("shard_size", "5GB")}
    causal_lm(family, **options).save_pretrained(folder, **shards)
    tokenizer.save_pretrained(folder)
    return folder


def sae_tensors(
    d_in: int = D_MODEL, d_sae: int = 256, seed: int = 0, d_out: int | None = None
) -> dict[str, np.ndarray]:
    """Random encoder and decoder; decoder rows have different lengths, no bias is zero."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.3, 2, (d_sae, 1))
    return {
        "W_enc": rng.normal(size=(d_in, d_sae)).astype(np.float32),
        "b_enc": rng.normal(-1, 0.5, d_sae).astype(np.float32),
        "W_dec": (scale * rng.normal(size=(d_sae, d_out or d_in))).astype(np.float32),
        "b_dec": rng.normal(size=d_out or d_in).astype(np.float32),
    }


def save_sae(
    root: Path,
    sae_id: str = "tiny-sae",
    architecture: str = "jumprelu",
    tensors: dict[str, np.ndarray] | None = None,
    metadata: dict[str, Any] | None = None,
    **cfg: Any,
) -> Path:
    """An SAE in sae-lens' disk format below `root`/saes/; returns its folder."""
    folder = root / "saes" / sae_id
    folder.mkdir(parents=True)
    tensors = dict(tensors or sae_tensors())
    d_in, d_sae = tensors["W_enc"].shape
    if architecture.startswith("jumprelu") and "threshold" not in tensors:
        tensors["threshold"] = np.random.default_rng(9).uniform(2, 9, d_sae).astype(np.float32)
    save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, folder / WEIGHTS)
    meta = {
        "sae_lens_version": "6.54.12",
        "model_name": "tiny",
        "hook_name": "blocks.1.hook_resid_post",
        "hf_hook_name": "model.layers.1.output",
    }
    config = {
        "architecture": architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": "transcoder" not in architecture,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": meta | (metadata or {}),
        **cfg,
    }
    (folder / "cfg.json").write_text(json.dumps(config))
    return folder


WEIGHTS = "sae_weights.safetensors"
