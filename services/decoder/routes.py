"""The way from what an SAE writes to the residual stream, checked on a few tokens.

What is written at a place of the residual stream, or added to it, is there already. Heads and
neurons go through the matrix behind them. A norm in between multiplies by its gain; its division
by the size of what attention or the MLP writes is left out, as that of the final norm is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from services.errors import Unsupported
from services.lm.capture import capture
from services.lm.hooks import Family, HookPoint, family_of, resolve
from services.lm.language_model import LanguageModel
from services.lm.unembedding import gain_of, probe

if TYPE_CHECKING:
    from torch import Tensor

_NUMBER = re.compile(r"(?:^|\.)(\d+)(?:\.|$)")
_RESIDUAL = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post")
_ADDED = ("hook_attn_out", "hook_mlp_out")


@dataclass(frozen=True, slots=True)
class Route:
    """Linear steps from a hook point's space to the residual stream's."""

    words: str
    width: int  # of the hook point's vectors
    steps: tuple[Callable[[Tensor], Tensor], ...] = ()

    def __call__(self, directions: Tensor) -> Tensor:
        """`directions` [n, d_out] in float32, in the residual stream [n, d_model]."""
        for step in self.steps:
            directions = step(directions)
        return directions


@torch.inference_mode()
def find_route(lm: LanguageModel, hook_name: str) -> Route:
    """How what is written at `hook_name` gets into the residual stream.

    Raises `Unsupported` where it does not, or not by a map that is the same for all tokens.
    """
    point, family = resolve(lm.model, hook_name), family_of(lm.model)
    if point.module is lm.model.get_input_embeddings() and point.side == "output":
        return _from_embedding(lm, hook_name, family)
    layer = _NUMBER.search(hook_name)
    if family is None or layer is None or point.norm is not None:
        raise _nowhere(lm, hook_name)
    return _in_block(lm, _Block(lm, family, int(layer[1])), hook_name, point)


@dataclass(frozen=True, slots=True)
class _Block:
    """One block's places, by hook name."""

    lm: LanguageModel
    family: Family
    layer: int

    def names(self, hooks: tuple[str, ...]) -> list[str]:
        """Hook names of those of `hooks` that the block has."""
        return [f"blocks.{self.layer}.{hook}" for hook in hooks if hook in self.family.points]

    def writers(self) -> list[str]:
        """Module paths of what adds to the residual stream."""
        start = f"{self.family.blocks}.{self.layer}."
        return [start + self.family.points[h][0] for h in _ADDED if h in self.family.points]

    def read(self, names: list[str]) -> dict[str, Tensor]:
        """Values at the hook points over a few tokens."""
        return capture(self.lm, probe(self.lm)[0].tolist(), names)


def _in_block(lm: LanguageModel, block: _Block, hook_name: str, point: HookPoint) -> Route:
    matrix = _matrix_behind(lm, point)
    names = [hook_name, *([f"{matrix}.output"] if matrix else [])]
    values = block.read(names)
    found = _from_values(block, values[hook_name])
    if found is not None:
        return found
    if matrix is not None and (found := _from_values(block, values[f"{matrix}.output"])):
        through = _multiplied_by(point.module)
        width = values[hook_name].shape[-1]
        return Route(f"through {matrix}, {found.words}", width, (through, *found.steps))
    raise _nowhere(lm, hook_name)


def _from_values(block: _Block, values: Tensor) -> Route | None:
    """The way from a place that has `values`, when they are written as they are or normalised."""
    width = values.shape[-1]
    for name, found in block.read(block.names(_RESIDUAL)).items():
        if _equal(found, values):
            return Route(f"in the residual stream ({name})", width)
    for name, found in block.read(block.names(_ADDED)).items():
        if _equal(found, values):
            return Route(f"added to the residual stream ({name})", width)
    for path in block.writers():
        around = block.read([f"{path}.input", f"{path}.output"])
        before, after = around[f"{path}.input"], around[f"{path}.output"]
        if _equal(before, values):
            norm = gain_of(block.lm.model.get_submodule(path), before, after)
            if norm is not None:
                return Route(f"through the gain of {path}", width, (norm,))
    return None


def _from_embedding(lm: LanguageModel, hook_name: str, family: Family | None) -> Route:
    """An embedding is in the residual stream when that has it plus what depends on places only."""
    if family is None:
        raise _nowhere(lm, hook_name)
    start = "blocks.0.hook_resid_pre"
    ids = probe(lm)[0].tolist()
    added = []
    for tokens in (ids, ids[::-1]):
        seen = capture(lm, tokens, [hook_name, start])
        if seen[start].shape != seen[hook_name].shape:
            raise _nowhere(lm, hook_name)
        added.append((seen[start] - seen[hook_name]).float())
    size = seen[start].float().norm()
    if (added[0] - added[1]).norm() > 1e-2 * size:
        raise _nowhere(lm, hook_name)
    return Route("in the residual stream (hook_embed)", seen[start].shape[-1])


def _matrix_behind(lm: LanguageModel, point: HookPoint) -> str | None:
    """Path of the matrix that reads the point, when the point is what a matrix reads."""
    if point.side != "input" or type(point.module).__name__ not in ("Linear", "Conv1D"):
        return None
    return next(name for name, module in lm.model.named_modules() if module is point.module)


def _multiplied_by(module: Any) -> Callable[[Tensor], Tensor]:
    # Linear keeps its weight [out, in], GPT-2's Conv1D [in, out].
    is_turned = type(module).__name__ == "Conv1D"

    def through(directions: Tensor) -> Tensor:
        weight = module.weight.float()
        return directions @ (weight if is_turned else weight.T)

    return through


def _equal(a: Tensor, b: Tensor) -> bool:
    """Whether they are the same tensor's values; one pass is like the other but for sums."""
    if a.shape != b.shape:
        return False
    tolerance = 1e-6 if a.dtype == torch.float32 else 1e-3
    return bool((a - b).float().norm() <= tolerance * b.float().norm())


def _nowhere(lm: LanguageModel, hook_name: str) -> Unsupported:
    return Unsupported(
        f"there are no logit weights: what is written at {hook_name} does not go into the "
        f"residual stream of {lm.info.model_id} by a map that is the same for all tokens",
        hook_name=hook_name,
        model_id=lm.info.model_id,
    )
