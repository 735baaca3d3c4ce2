"""Trials on a sample of tokens: would another layer, another scale, fewer features fit better?

Only a guess at the cause; the metrics of a report never come from here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from services.sae.preflight.evidence import Fit, Fits

if TYPE_CHECKING:
    from torch import Tensor

    from services.sae.decode import Decoder
    from services.sae.loader import Sae

SAMPLE = 512  # tokens
_FEW = 256  # of them, where many variants are tried
_POWERS = range(-8, 9)  # of 2, as scales of the input
_KEPT = (8, 16, 32, 64, 128)
_LAYER = re.compile(r"(?<=\.)\d+(?=\.|$)")
_CANDIDATES = 6


def other_layers(hook_name: str, n_layers: int) -> dict[int, str]:
    """The hook of the same name in other layers: all of a few, or the next and some far ones."""
    found = _LAYER.search(hook_name)
    if found is None:
        return {}
    own = int(found[0])
    others = sorted(
        (layer for layer in range(n_layers) if layer != own), key=lambda n: abs(n - own)
    )
    near, far = others[:2], others[2:]
    step = max(1, -(-len(far) // (_CANDIDATES - len(near))))
    return {n: in_layer(hook_name, n) for n in sorted(near + far[step - 1 :: step])}


def in_layer(hook_name: str, layer: int) -> str:
    """`hook_name` in another layer."""
    return _LAYER.sub(str(layer), hook_name, count=1)


@torch.inference_mode()
def fit(sae: Sae, decoder: Decoder, x: Tensor, y: Tensor) -> float:
    """Explained variance of `y` [n, d] by what the SAE makes of `x` [n, d_in]."""
    return _explained(y, decoder.reconstruct(x, sae.encode(x)))


Sample = Mapping["int | None", "tuple[Tensor, Tensor]"]
"""What an SAE reads and what it is to reconstruct, of its own layer (None) and of others."""


def try_fits(sae: Sae, decoder: Decoder, sample: Sample, l0: float) -> Fits | None:
    """The fits of a sample; None for an SAE that needs whole texts."""
    if None not in sample or sae.needs_whole_sequence:
        return None
    x, y = sample[None]
    few = slice(None, None, max(1, len(x) // _FEW))
    return Fits(
        own=fit(sae, decoder, x, y),
        layers={n: fit(sae, decoder, *pair) for n, pair in sample.items() if n is not None},
        scale=best_scale(sae, decoder, x[few], y[few]),
        output=best_output_scale(sae, decoder, x, y),
        kept=best_kept(sae, decoder, x, y, l0),
    )


@torch.inference_mode()
def best_scale(sae: Sae, decoder: Decoder, x: Tensor, y: Tensor) -> Fit:
    """The scale s of the inputs with which decode(encode(s x)) / s fits best."""

    def tried(s: float) -> Fit:
        return Fit(s, _explained(y, decoder.reconstruct(x * s, sae.encode(x * s)) / s))

    coarse = max((tried(2.0**power) for power in _POWERS), key=_goodness)
    fine = (tried(coarse.value * 2 ** (step / 4)) for step in (-3, -2, -1, 1, 2, 3))
    return max(coarse, *fine, key=_goodness)


@torch.inference_mode()
def best_output_scale(sae: Sae, decoder: Decoder, x: Tensor, y: Tensor) -> Fit:
    """The factor a, and a shift, with which a · decode(encode(x)) fits best."""
    made = decoder.reconstruct(x, sae.encode(x)).double().cpu()
    true = y.double().cpu()
    made, true = made - made.mean(0), true - true.mean(0)
    power = made.square().sum()
    a = float((made * true).sum() / power) if power > 0 else 0.0
    return Fit(a, 1 - float((true - a * made).square().sum() / true.square().sum()))


@torch.inference_mode()
def best_kept(sae: Sae, decoder: Decoder, x: Tensor, y: Tensor, l0: float) -> Fit:
    """How many of the strongest features to keep per token to fit best; all are `l0`."""
    features = sae.encode(x)
    sizes = [k for k in _KEPT if k < features.shape[1]]

    def tried(k: int) -> Fit:
        ids = features.abs().topk(k).indices
        kept = torch.zeros_like(features).scatter_(1, ids, features.gather(1, ids))
        return Fit(k, _explained(y, decoder.reconstruct(x, kept)))

    everything = Fit(l0, _explained(y, decoder.reconstruct(x, features)))
    return max(everything, *map(tried, sizes), key=_goodness)


def _explained(y: Tensor, made: Tensor) -> float:
    y, made = y.cpu().double(), made.cpu().double()
    spread = (y - y.mean(0)).square().sum()
    value = 1 - float((y - made).square().sum() / spread) if spread > 0 else -math.inf
    return value if math.isfinite(value) else -math.inf


def _goodness(found: Fit) -> float:
    return found.explained_variance
