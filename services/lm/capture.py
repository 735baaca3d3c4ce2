"""Reading activations: one forward pass over finished sequences, several hook points at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch

from services.errors import InvalidArgument, Unsupported
from services.lm.device import memory_guard, use_threads
from services.lm.hooks import HookPoint, input_of, output_of, resolve
from services.lm.language_model import LanguageModel

if TYPE_CHECKING:
    from torch import Tensor


Act = Callable[[Any], Any]
"""Is shown activations and may return others of the same shape in their place, or None."""


class _AllRead(Exception):
    """Every hook point has been read: what lies deeper need not be computed."""


def capture(
    lm: LanguageModel, token_ids: Sequence[int], hook_names: Sequence[str]
) -> dict[str, Tensor]:
    """Activations [n, d] of all `n` tokens at each hook point, in the model's dtype and device.

    Raises as `capture_batch`.
    """
    found = capture_batch(lm, [token_ids], hook_names)
    return {name: activations[0] for name, activations in found.items()}


def capture_batch(
    lm: LanguageModel, sequences: Sequence[Sequence[int]], hook_names: Sequence[str]
) -> dict[str, Tensor]:
    """Activations [b, n, d] of `b` sequences, of which the longest has `n` tokens.

    Shorter ones are filled up at their end: no token sees what comes after it, so that the first
    rows of each are those of the sequence alone, and what follows means nothing. The pass ends
    after the deepest hook point and never computes logits. Raises `Unsupported` for a hook point
    that the model does not have, before anything is computed.
    """
    points = {name: resolve(lm.model, name) for name in hook_names}
    if not points:
        return {}
    for token_ids in sequences:
        if not 0 < len(token_ids) <= lm.n_ctx:
            raise InvalidArgument(
                f"{len(token_ids)} tokens; {lm.info.model_id} reads 1 to {lm.n_ctx}"
            )
    use_threads(lm.reading_threads)
    with memory_guard("to read features"):
        return _forward(lm, _padded(sequences), points)


def _padded(sequences: Sequence[Sequence[int]]) -> list[list[int]]:
    """All as long as the longest; which token follows does not matter."""
    longest = max(map(len, sequences))
    return [[*ids, *[ids[-1]] * (longest - len(ids))] for ids in sequences]


@torch.inference_mode()
def _forward(
    lm: LanguageModel, rows: list[list[int]], points: dict[str, HookPoint]
) -> dict[str, Tensor]:
    read: dict[str, Tensor] = {}
    shape = len(rows), len(rows[0])

    def keeper(name: str) -> Act:
        def keep(activations: Any) -> None:
            read[name] = points[name].read(batch_of(name, activations, *shape)).clone()
            if len(read) == len(points):
                raise _AllRead

        return keep

    with ExitStack() as hooks:
        for name, point in points.items():
            hooks.callback(register(point, keeper(name)).remove)
        try:
            ids = torch.tensor(rows, device=lm.device)
            lm.model.base_model(input_ids=ids, use_cache=False)
        except _AllRead:
            return read
    missing = ", ".join(name for name in points if name not in read)
    raise Unsupported(f"{lm.info.model_id} does not compute {missing} when it reads a text")


def rows_of(name: str, activations: Any, n: int) -> Tensor:
    """One vector per token of a single sequence, [n, width]."""
    return batch_of(name, activations, 1, n)[0]


def batch_of(name: str, activations: Any, b: int, n: int) -> Tensor:
    """One vector per token, [b, n, width]."""
    if isinstance(activations, torch.Tensor):
        if activations.ndim == 3 and activations.shape[:2] == (b, n):
            return activations
        if activations.ndim == 2 and len(activations) == b * n:  # some modules flatten the batch
            return activations.unflatten(0, (b, n))
    shape = list(getattr(activations, "shape", [])) or type(activations).__name__
    tokens = f"{n} tokens" if b == 1 else f"{b} x {n} tokens"
    raise Unsupported(f"{name} gives {shape}, not one vector for each of {tokens}", hook_name=name)


def register(point: HookPoint, act: Act) -> Any:
    """A hook that shows `act` the activations at the point each time; `remove()` takes it away."""

    def before(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        new = act(input_of(args, kwargs))
        if new is None:
            return None
        if args:
            return (new, *args[1:]), kwargs
        name = "hidden_states" if "hidden_states" in kwargs else next(iter(kwargs))
        return args, {**kwargs, name: new}

    def after(_: Any, __: Any, output: Any) -> Any:
        new = act(output_of(output))
        is_first = isinstance(output, tuple) and bool(output)
        return (new, *output[1:]) if new is not None and is_first else new

    if point.side == "input":
        return point.module.register_forward_pre_hook(before, with_kwargs=True)
    return point.module.register_forward_hook(after)
