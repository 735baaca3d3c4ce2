"""From the residual stream to the logits: the final norm and the unembedding of any model.

Names alone mislead (one family adds 1 to its gains, another scales its logits), so a few tokens
go through the model and what is found here is held against what it computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from services.errors import Unsupported
from services.lm.device import use_threads
from services.lm.hooks import Norm, input_of, output_of
from services.lm.language_model import LanguageModel

if TYPE_CHECKING:
    from torch import Tensor

_N_TOKENS = 8
_EPS_NAMES = ("variance_epsilon", "eps", "epsilon")


@dataclass(frozen=True, slots=True)
class NormGain:
    """What a norm does to a direction, its division by the input's size left out."""

    is_centred: bool
    gain: Tensor | None  # [d] in float32; None where the norm has no gain

    def __call__(self, directions: Tensor) -> Tensor:
        """`directions` [n, d] in float32, behind the norm."""
        if self.is_centred:
            directions = directions - directions.mean(-1, keepdim=True)
        return directions if self.gain is None else directions * self.gain


@dataclass(frozen=True, slots=True)
class Unembedding:
    """logits = scale · W_U · norm(residual) + bias, before any softcapping."""

    W_U: Tensor  # [n_vocab, d_model], the model's own weights in its dtype
    norm: NormGain | None  # None where the unembedding reads the residual stream itself
    scale: float
    softcapping: float | None

    def read(self, directions: Tensor) -> Tensor:
        """What W_U multiplies, for `directions` [n, d_model] of the residual stream."""
        return self.scale * (directions if self.norm is None else self.norm(directions))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What went into and came out of the modules that have no parts, and the model's logits."""

    before: dict[nn.Module, Tensor]
    after: dict[nn.Module, Tensor]
    logits: Tensor


@torch.inference_mode()
def find_unembedding(lm: LanguageModel) -> Unembedding:
    """The final norm and the unembedding of the model, as they compute.

    Raises `Unsupported` where its logits are not made in that way.
    """
    head: Any = lm.model.get_output_embeddings()
    weight = getattr(head, "weight", None)
    if weight is None or weight.ndim != 2:
        raise _unknown(lm, "it has no unembedding matrix")
    seen = _watch(lm)
    if head not in seen.before or seen.before[head].shape[-1] != weight.shape[-1]:
        raise _unknown(lm, "its unembedding is not used as a matrix")
    scale, softcapping = _behind(lm, seen.after[head], seen.logits)
    return Unembedding(weight, _before(lm, seen, head), scale, softcapping)


def gain_of(module: nn.Module, before: Tensor, after: Tensor) -> NormGain | None:
    """What the norm `module`, which made `after` of `before` [n, d], does to directions.

    None when it computes something else.
    """
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if before.shape != after.shape or (weight is not None and weight.shape != before.shape[-1:]):
        return None
    eps = next((float(getattr(module, n)) for n in _EPS_NAMES if hasattr(module, n)), 0.0)
    x, y = before.float(), after.float() - (0 if bias is None else bias.float())
    found: list[tuple[float, NormGain]] = []
    for is_centred in (False, True):
        plain = Norm("layer" if is_centred else "rms", eps)(x)
        for gain in _gains(weight):
            wrong = (plain if gain is None else plain * gain) - y
            found.append((float(wrong.norm() / y.norm()), NormGain(is_centred, gain)))
    error, best = min(found, key=lambda pair: pair[0])
    return best if error < _tolerance(after) else None


def _gains(weight: Tensor | None) -> tuple[Tensor | None, ...]:
    """What the gain may be; Gemma's norms keep it less 1."""
    return (None,) if weight is None else (weight.float(), 1 + weight.float())


def _before(lm: LanguageModel, seen: _Seen, head: nn.Module) -> NormGain | None:
    """The final norm: what made the values that the unembedding reads."""
    read = seen.before[head]
    makers = [m for m, y in seen.after.items() if m is not head and torch.equal(y, read)]
    for module in makers:
        if not torch.equal(seen.before[module], read):  # else it only passes them on
            norm = gain_of(module, seen.before[module], read)
            if norm is not None:
                return norm
    raise _unknown(lm, "what its unembedding reads comes from no norm that is known")


def _behind(lm: LanguageModel, raw: Tensor, logits: Tensor) -> tuple[float, float | None]:
    """Scale and softcapping between what the unembedding gives and the logits."""
    raw, logits = raw.float(), logits.float()
    config = lm.model.config.get_text_config(decoder=True)
    cap = getattr(config, "final_logit_softcapping", None)
    if cap:
        if _same(logits, cap * torch.tanh(raw / cap), lm.dtype):
            return 1.0, float(cap)
    elif _same(logits, raw, lm.dtype):
        return 1.0, None
    scale = float((logits * raw).sum() / (raw * raw).sum())
    if _same(logits, scale * raw, lm.dtype):
        return scale, None
    raise _unknown(lm, "its logits are more than its unembedding gives")


def _watch(lm: LanguageModel) -> _Seen:
    """A pass over a few tokens."""
    use_threads(lm.reading_threads)
    before: dict[nn.Module, Tensor] = {}
    after: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        x, y = _rows(input_of(args, kwargs)), _rows(output_of(output))
        if x is not None and y is not None:
            before[module], after[module] = x, y

    with ExitStack() as hooks:
        for module in _leaves(lm.model):
            handle = module.register_forward_hook(keep, with_kwargs=True)
            hooks.callback(handle.remove)
        logits = lm.model(input_ids=probe(lm), use_cache=False).logits[0]
    return _Seen(before, after, logits)


def probe(lm: LanguageModel) -> Tensor:
    """A few token ids [1, n] to watch the model by."""
    embedding: Any = lm.model.get_input_embeddings()
    ids = torch.arange(3, 3 + _N_TOKENS, device=lm.device) % embedding.weight.shape[0]
    return ids[None]


def _leaves(model: nn.Module) -> Iterator[nn.Module]:
    return (module for module in model.modules() if not any(True for _ in module.children()))


def _rows(value: Any) -> Tensor | None:
    """One vector per token, or None."""
    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.ndim < 2:
        return None
    if value.numel() != _N_TOKENS * value.shape[-1]:
        return None
    return value.reshape(_N_TOKENS, -1).clone()


def _tolerance(values: Tensor) -> float:
    return 1e-4 if values.dtype == torch.float32 else 2e-2


def _same(a: Tensor, b: Tensor, dtype: torch.dtype) -> bool:
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    return bool((a - b).norm() <= tolerance * b.norm())


def _unknown(lm: LanguageModel, problem: str) -> Unsupported:
    return Unsupported(
        f"there are no logit weights for {lm.info.model_id}: {problem}",
        model_id=lm.info.model_id,
        problem=problem,
    )
