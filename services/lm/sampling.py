"""Choosing the next token: a pure function on logits, with its own random generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Generator, Tensor

_NUCLEUS_HEAD = 256  # most nuclei are smaller; sorting a whole vocabulary costs milliseconds


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn: `temperature` 0 is greedy, `top_p` 1 and `top_k` 0 are off."""

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 0


def sample(logits: Tensor, sampling: Sampling, generator: Generator | None) -> Tensor:
    """One token id, [1], drawn from `logits` [n_vocab] (float32).

    Temperature, then top_k, then top_p over what top_k left, as transformers orders them. The
    most likely token is always possible. Equal logits at the top_k boundary: exactly k remain.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1, keepdim=True)
    # The shift keeps tiny temperatures finite: the best token is at 0, the others below.
    scores = (logits - logits.max()) / sampling.temperature
    if 0 < sampling.top_k < len(scores):
        scores, ids = scores.topk(sampling.top_k)
        probs = torch.softmax(scores, -1)
        if sampling.top_p < 1:
            probs = _cut_nucleus(probs, sampling.top_p)
        return ids[_draw(probs, generator)]
    probs = torch.softmax(scores, -1)
    if sampling.top_p < 1:
        probs, ids = _nucleus(probs, sampling.top_p)
        return ids[_draw(probs, generator)]
    return _draw(probs, generator)


def _nucleus(probs: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """The most likely tokens that together reach `top_p`: probabilities (0 beyond) and ids."""
    k = min(_NUCLEUS_HEAD, len(probs))
    head, ids = probs.topk(k)
    if k < len(probs) and head.sum() < top_p:
        head, ids = probs.sort(descending=True)
    return _cut_nucleus(head, top_p), ids


def _cut_nucleus(descending: Tensor, top_p: float) -> Tensor:
    """`descending` probabilities with those zeroed before which `top_p` is already reached."""
    reached = _precise(descending).cumsum(-1)
    keep = torch.ones_like(descending, dtype=torch.bool)
    keep[1:] = reached[:-1] < top_p
    return descending * keep


def _draw(weights: Tensor, generator: Generator | None) -> Tensor:
    """An index, [1], drawn in proportion to `weights`: one uniform number, looked up.

    In float64 (where the device has it), so that rare tokens keep their share among 100,000. Unlike
    `torch.multinomial` a weight that is no number does not kill the context of a GPU.
    """
    total = _precise(weights).cumsum(-1)
    point = torch.rand(1, generator=generator, dtype=total.dtype, device=total.device) * total[-1]
    return torch.searchsorted(total, point, right=True).clamp_(max=len(weights) - 1)


def _precise(values: Tensor) -> Tensor:
    return values if values.device.type == "mps" else values.double()
