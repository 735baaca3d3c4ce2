"""What the weights alone tell: columns that are empty, a decoder that left its encoder.

In a trained SAE the direction that a feature writes resembles the one it reads, since encoders
start as the transposed decoder and stay near it. Transcoders write elsewhere and are not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from services.sae.config import SaeConfig
from services.sae.preflight.evidence import WeightFacts

if TYPE_CHECKING:
    from torch import Tensor

_UNLIKE = 0.1  # cosine between what a feature reads and writes; below, they have nothing in common
_FEATURES = 8192  # looked at, spread over all


@torch.inference_mode()
def weight_facts(config: SaeConfig, weights: Mapping[str, Tensor]) -> WeightFacts:
    """Facts about the tensors of an SAE, as on disk."""
    threshold = weights.get("threshold")
    has_threshold = threshold is not None and bool((threshold > 0).any())
    W_enc, W_dec = weights.get("W_enc"), weights.get("W_dec")
    empty: tuple[float | None, float | None] = (None, None)
    if W_enc is not None and W_enc.ndim == 2:
        zero = W_enc == 0
        empty = (zero.all(0).float().mean().item(), zero.all(1).float().mean().item())
    return WeightFacts(
        *empty,
        unlike=_unlike(config, W_enc, W_dec),
        unused_threshold=config.architecture == "standard" and has_threshold,
        zero_threshold=config.is_jumprelu and not has_threshold,
    )


def _unlike(config: SaeConfig, W_enc: Tensor | None, W_dec: Tensor | None) -> float | None:
    if W_enc is None or W_dec is None or "transcoder" in config.architecture:
        return None
    if W_enc.T.shape != W_dec.shape:
        return None
    chosen = torch.arange(0, len(W_dec), max(1, len(W_dec) // _FEATURES))
    reads, writes = W_enc[:, chosen].float().T, W_dec[chosen].float()
    cosine = torch.nn.functional.cosine_similarity(reads, writes, dim=1)
    cosine = cosine[reads.norm(dim=1) > 0]  # an empty column is a finding of its own
    return (cosine < _UNLIKE).float().mean().item() if len(cosine) else None
