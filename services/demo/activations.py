"""Residual stream of the demo model: read after a layer, or replaced there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from services.demo.batches import TokenIds

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

Replace = Callable[[torch.Tensor], torch.Tensor]
"""Maps the residual stream `[batch, pos, d_model]` to what takes its place."""


class _ReadError(Exception):
    """Ends the forward pass once the wanted layer has been read."""


@contextmanager
def _after_layer(
    model: LlamaForCausalLM, layer: int, act: Callable[[torch.Tensor], torch.Tensor | None]
) -> Iterator[None]:
    def hook(_module: object, _args: object, output: torch.Tensor) -> torch.Tensor | None:
        return act(output)

    handle = model.model.layers[layer].register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def residuals(model: LlamaForCausalLM, layer: int, input_ids: torch.Tensor) -> torch.Tensor:
    """The residual stream after `layer`, `[batch, pos, d_model]`; later layers do not run."""
    found: list[torch.Tensor] = []

    def read(output: torch.Tensor) -> None:
        found.append(output)
        raise _ReadError

    with _after_layer(model, layer, read):
        try:
            model.model(input_ids=input_ids, use_cache=False)
        except _ReadError:
            return found[0]
    raise RuntimeError(f"layer {layer} did not run")


@contextmanager
def replaced(model: LlamaForCausalLM, layer: int, replace: Replace) -> Iterator[None]:
    """While open, `replace` rewrites the stream after `layer`, except at `<bos>`, position 0."""

    def act(output: torch.Tensor) -> torch.Tensor:
        return torch.cat([output[:, :1], replace(output)[:, 1:]], dim=1)

    with _after_layer(model, layer, act):
        yield


def token_residuals(
    model: LlamaForCausalLM, layer: int, windows: TokenIds, batch: int = 16
) -> Iterator[torch.Tensor]:
    """Per batch of `windows`, the stream of every token but `<bos>`, `[n_tokens, d_model]`."""
    for ids in torch.from_numpy(windows).long().split(batch):
        yield residuals(model, layer, ids)[:, 1:].flatten(0, 1)
