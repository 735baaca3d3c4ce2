"""Forward passes over one window: hook points read, or written over.

The hooks act in the thread that set them only: another thread that happens to use the same model
neither sees nor disturbs them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from services.lm.capture import Act, register, rows_of
from services.lm.hooks import HookPoint

if TYPE_CHECKING:
    from torch import Tensor

    from services.lm.language_model import LanguageModel


@torch.inference_mode()
def read(
    lm: LanguageModel, ids: Sequence[int], points: Mapping[str, HookPoint]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Next-token losses [n - 1] in nats, and the activations [n, d] at each point in float32."""
    found: dict[str, Tensor] = {}

    def keep(name: str, point: HookPoint) -> Act:
        def act(x: Tensor) -> None:
            found[name] = point.read(rows_of(name, x, len(ids))).float().clone()

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
        rows = rows_of("where it writes", x, len(ids))
        return torch.cat([rows[:first], values[first:].to(rows)]).view_as(x)

    with _acting(point, act):
        return _losses(lm, ids)


def _losses(lm: LanguageModel, ids: Sequence[int]) -> Tensor:
    row = torch.tensor([list(ids)], device=lm.device)
    logits = lm.model(input_ids=row, use_cache=False).logits[0, :-1]
    return cross_entropy(logits.float(), row[0, 1:], reduction="none")


@contextmanager
def _acting(point: HookPoint, act: Act) -> Iterator[None]:
    thread = threading.get_ident()
    handle = register(point, lambda x: act(x) if threading.get_ident() == thread else None)
    try:
        yield
    finally:
        handle.remove()
