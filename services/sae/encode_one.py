"""From captured activations to the exact values of chosen features at every position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from services.lm.device import memory_guard, use_threads
from services.sae.encode import check_activations, chunks
from services.sae.loader import Sae
from services.types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor


@torch.inference_mode()
def feature_values(sae: Sae, activations: Tensor, features: Sequence[int]) -> FloatArray:
    """Activations [n, len(features)] at the rows of `activations` [n, d_in]; 0 where one does not
    fire, however many others do.

    Raises `Unsupported` when the activations do not fit the SAE or are not finite.
    """
    check_activations(sae, activations)
    use_threads(sae.threads)
    parts = [np.zeros((0, len(features)), np.float32)]
    with memory_guard(f"to encode with {sae.info.sae_id}"):
        for rows in chunks(sae, len(activations)):
            encoded = sae.encode(activations[rows])[:, list(features)]
            parts.append(encoded.float().cpu().numpy())
    return np.concatenate(parts)
