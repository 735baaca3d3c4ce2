"""How much memory a model or an SAE takes once it is loaded, told before. No torch here."""

from __future__ import annotations

from services.sae.config import BY_SAE_LENS
from services.types import ModelInfo, SaeInfo

BUDGET_SHARE = 0.8  # of the device's memory; the rest is for activations, KV caches and others
_ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_OVERHEAD = 1.05  # buffers, the tokenizer, what the allocator rounds up


def model_bytes(info: ModelInfo, dtype: str) -> int:
    """Estimate for the model's weights in `dtype` (float32, bfloat16, float16).

    An undecided dtype (`auto`, until a device is chosen) counts as float32, the larger. What a
    run needs on top (KV cache, activations) is not in it: a budget of 80 % leaves room for that.
    """
    item = _ITEM_BYTES.get(dtype.removeprefix("torch."), 4)
    if info.n_params is None:
        return info.size_bytes
    return int(info.n_params * item * _OVERHEAD)


def sae_bytes(info: SaeInfo) -> int:
    """Estimate for an SAE in float32: the encoder, and the decoder where it is kept as well."""
    matrices = 2 if info.architecture in BY_SAE_LENS else 1
    biases = 3 * info.d_sae + 2 * info.d_in
    return 4 * (matrices * info.d_in * info.d_sae + biases)


def gigabytes(n_bytes: int) -> str:
    """`n_bytes` for a message: `16.1 GB`, `3.2 MB`."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 10**8 else f"{n_bytes / 1e6:.1f} MB"
