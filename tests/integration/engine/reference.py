"""The same numbers by the plain way: transformers' hidden states through sae-lens' encoder.

Nothing of the product is used here. Slow, simple, and without hooks, chunks or caches.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch


def reference_features(
    model_folder: Path, sae_folder: Path, token_ids: list[int], layer: int
) -> np.ndarray:
    """Feature activations [n, d_sae] of the residual stream after `layer` (not the last one)."""
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens import SAE

        sae = SAE.load_from_disk(sae_folder, dtype="float32")
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    if layer + 1 >= model.config.num_hidden_layers:
        raise ValueError("after the last layer transformers applies the final norm")
    with torch.no_grad():
        hidden = model(torch.tensor([token_ids]), output_hidden_states=True).hidden_states
        return sae.encode(hidden[layer + 1][0]).numpy()
