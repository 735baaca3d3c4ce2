"""Forward passes over one window: hook points read, or written over.

The hooks act in the thread that set them only: another thread that happens to use the same model
neither sees nor disturbs them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy

from services.lm.hooks import HookPoint

if TYPE_CHECKING:
    from torch import Tensor

    from services.lm.language_model import LanguageModel

Act = Callable[["Tensor"], "Tensor | None"]
"""Is shown the activations [1, n, d] at a hook point and may return others in their place."""


@torch.inference_mode()
def read(
    lm: LanguageModel, ids: Sequence[int], points: Mapping[str, HookPoint]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Next-token losses [n - 1] in nats, and the activations [n, d] at each point in float32."""
    found: dict[str, Tensor] = {}

    def keep(name: str, point: HookPoint) -> Act:
        def act(x: Tensor) -> None:
            found[name] = point.read(x)[0].float().clone()

        return act

    with ExitStack() as stack:
        for name, point in points.items():
            stack.enter_context(_acting(point, keep(name, point)))
        losses = _losses(lm, ids)
    return losses, found


@torch.inference_mode()
def losses_with(
    lm: LanguageModel, ids: Sequence[int], point: HookPoint, values: Tensor, first: int
) -> Tensor:
    """Next-token losses [n - 1] with `values` [n, d] at `point` from position `first` on."""

    def act(x: Tensor) -> Tensor:
        return torch.cat([x[:, :first], values[None, first:].to(x)], dim=1)

    with _acting(point, act):
        return _losses(lm, ids)


def _losses(lm: LanguageModel, ids: Sequence[int]) -> Tensor:
    row = torch.tensor([list(ids)], device=lm.device)
    logits = lm.model(input_ids=row, use_cache=False).logits[0, :-1]
    return cross_entropy(logits.float(), row[0, 1:], reduction="none")


@contextmanager
def _acting(point: HookPoint, act: Act) -> Iterator[None]:
    handle = _register(point, act, threading.get_ident())
    try:
        yield
    finally:
        handle.remove()


def _register(point: HookPoint, act: Act, thread: int) -> Any:
    def before(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if threading.get_ident() != thread:
            return None
        new = act(args[0] if args else kwargs["hidden_states"])
        if new is None:
            return None
        return ((new, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": new})

    def after(_: Any, __: Any, output: Any) -> Any:
        if threading.get_ident() != thread:
            return None
        new = act(output[0] if isinstance(output, tuple) else output)
        if new is None:
            return None
        return (new, *output[1:]) if isinstance(output, tuple) else new

    if point.side == "input":
        return point.module.register_forward_pre_hook(before, with_kwargs=True)
    return point.module.register_forward_hook(after)
