"""Random-weight models and SAEs in a data folder: for a size or a length, not a meaning."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from services.demo import ARTEFACTS

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def make_model(
    home: Path, model_id: str, *, d_model: int, n_layers: int, n_ctx: int = 4096, seed: int = 0
) -> Path:
    """A Llama with the demo's tokenizer; greedy decoding of it practically never ends by itself."""
    torch.manual_seed(seed)
    folder = home / "models" / model_id
    folder.mkdir(parents=True)
    demo = next((ARTEFACTS / "models").iterdir())
    for name in _TOKENIZER_FILES:
        shutil.copy(demo / name, folder / name)
    config = LlamaConfig(
        vocab_size=json.loads((demo / "config.json").read_text())["vocab_size"],
        hidden_size=d_model,
        intermediate_size=d_model * 8 // 3 // 64 * 64,
        num_hidden_layers=n_layers,
        num_attention_heads=d_model // 64,
        num_key_value_heads=d_model // 64,
        max_position_embeddings=n_ctx,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=None,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def make_sae(
    home: Path, sae_id: str, *, model_id: str, d_in: int, d_sae: int, layer: int, seed: int = 0
) -> Path:
    """A TopK SAE with random directions, of which 50 fire on every token."""
    generator = torch.Generator().manual_seed(seed)
    folder = home / "saes" / sae_id
    folder.mkdir(parents=True)
    directions = torch.randn(d_sae, d_in, generator=generator)
    W_dec = directions / directions.norm(dim=-1, keepdim=True)
    save_file(
        {
            "W_enc": W_dec.T.contiguous(),
            "W_dec": W_dec,
            "b_enc": torch.zeros(d_sae),
            "b_dec": torch.zeros(d_in),
        },
        folder / "sae_weights.safetensors",
    )
    config = {
        "architecture": "topk",
        "k": 50,
        "rescale_acts_by_decoder_norm": False,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"model_name": model_id, "hook_name": f"blocks.{layer}.hook_resid_post"},
    }
    (folder / "cfg.json").write_text(json.dumps(config))
    return folder


def make_endless(home: Path) -> dict[str, object]:
    """A model that writes until `max_tokens`, slowly enough to be cut, and a body that runs it."""
    make_model(home, "endless", d_model=512, n_layers=6)
    make_sae(home, "endless-l2", model_id="endless", d_in=512, d_sae=1024, layer=2)
    return {
        "prompt": "Once upon a time",
        "model_id": "endless",
        "chat_template": "off",
        "temperature": 0,
        "max_tokens": 400,
        "seed": 1,
    }
