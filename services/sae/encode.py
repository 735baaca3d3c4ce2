"""From captured activations to the features that fire: chunk by chunk, exact, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from services.errors import Unsupported
from services.lm.device import memory_guard, use_threads
from services.sae.loader import Sae
from services.types import FloatArray, IntArray

if TYPE_CHECKING:
    from torch import Tensor

_CHUNK_BYTES = 256 * 2**20  # of feature activations; smaller chunks cost speed, see `chunks`
_KEPT_MAX = 256


class Encoded(NamedTuple):
    """What an SAE sees at each of `n` positions; ranking is by |activation|, signs are kept."""

    feature_ids: IntArray
    """[n, m] strongest first; -1 where fewer than m fire."""
    activations: FloatArray
    """[n, m]; 0 where `feature_ids` is -1."""
    l0: IntArray
    """[n] features that fire at the position, kept or not."""
    feature_max: FloatArray
    """[d_sae] strongest activation over the counted positions; 0 if the feature never fires."""
    feature_hits: IntArray
    """[d_sae] counted positions at which the feature fires."""


class _Part(NamedTuple):
    ids: Tensor
    values: Tensor
    l0: Tensor


@torch.inference_mode()
def encode_features(sae: Sae, activations: Tensor, top_k: int, counted: Sequence[bool]) -> Encoded:
    """Encode `activations` [n, d_in] and keep the strongest features of each position.

    m = max(top_k, min(256, the most that fire at one position)). `counted` [n] says which
    positions enter `feature_max` and `feature_hits`; these are exact over all firing features.
    Raises `Unsupported` when the activations do not fit the SAE or are not finite.
    """
    check_activations(sae, activations)
    if len(counted) != len(activations):
        raise ValueError(f"{len(counted)} flags for {len(activations)} positions")
    use_threads(sae.threads)
    d_sae = sae.info.d_sae
    device = activations.device
    most = torch.zeros(d_sae, device=device)
    hits = torch.zeros(d_sae, dtype=torch.int64, device=device)
    ignored = ~torch.tensor(list(counted), dtype=torch.bool, device=device)
    parts: list[_Part] = []
    with memory_guard(f"to encode with {sae.info.sae_id}"):
        for rows in chunks(sae, len(activations)):
            features = sae.encode(activations[rows]).float()
            fired, ids = features.nonzero(as_tuple=True)
            l0 = torch.bincount(fired, minlength=len(features))
            parts.append(_strongest(features, l0, top_k))
            hits += torch.bincount(ids[~ignored[rows][fired]], minlength=d_sae)
            # The chunk is not needed any more: blanking rows costs less than copying the others.
            most = _stronger(most, features.masked_fill_(ignored[rows, None], 0))
    return _joined(parts, most, hits, top_k)


def check_activations(sae: Sae, activations: Tensor) -> None:
    """Raise `Unsupported` for activations that do not fit the SAE or are not finite."""
    if activations.ndim != 2 or activations.shape[1] != sae.info.d_in:
        raise Unsupported(
            f"SAE {sae.info.sae_id} reads {sae.info.d_in} numbers per token, the model has "
            f"{activations.shape[-1]} at {sae.capture_name}: it belongs to another model"
        )
    if not bool(torch.isfinite(activations).all()):
        raise Unsupported(
            f"the model's activations at {sae.capture_name} are not finite in "
            f"{activations.dtype}: use bfloat16 or float32"
        )


def chunks(sae: Sae, n: int) -> list[slice]:
    """Rows that are encoded together: as many as fit the budget, since small products are slow."""
    size = n if sae.needs_whole_sequence else max(1, _CHUNK_BYTES // (4 * sae.info.d_sae))
    return [slice(start, start + size) for start in range(0, n, max(size, 1))]


def _strongest(features: Tensor, l0: Tensor, top_k: int) -> _Part:
    width = max(top_k, min(_KEPT_MAX, int(l0.max())))
    sizes = features.abs() if _has_negative(features) else features
    ids = sizes.topk(min(width, features.shape[1])).indices
    values = features.gather(1, ids)
    return _Part(ids.masked_fill_(values == 0, -1), values, l0)


def _stronger(most: Tensor, features: Tensor) -> Tensor:
    found = features.amax(0)
    if _has_negative(features):
        low = features.amin(0)
        found = torch.where(-low > found, low, found)
    return torch.where(found.abs() > most.abs(), found, most)


def _has_negative(features: Tensor) -> bool:
    return bool(features.amin() < 0)


def _joined(parts: list[_Part], most: Tensor, hits: Tensor, top_k: int) -> Encoded:
    l0 = _int32(torch.cat([p.l0 for p in parts])) if parts else np.zeros(0, np.int32)
    m = max(top_k, min(_KEPT_MAX, int(l0.max(initial=0))))
    ids = np.full((len(l0), m), -1, np.int32)
    values = np.zeros((len(l0), m), np.float32)
    start = 0
    for part in parts:
        stop, width = start + len(part.l0), part.ids.shape[1]
        ids[start:stop, :width] = _int32(part.ids)
        values[start:stop, :width] = part.values.cpu().numpy()
        start = stop
    return Encoded(ids, values, l0, most.cpu().numpy(), _int32(hits))


def _int32(tensor: Tensor) -> IntArray:
    return tensor.to("cpu", torch.int32).numpy()
