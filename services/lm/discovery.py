"""Hook points of models that are not in the table, found by watching a few tokens go through.

Names alone mislead: in one family the attention module returns what it adds to the residual stream,
in another the sum, in a third the sum is scaled first. A hook point is offered only where the
numbers agree: residual + attention + MLP is the next residual, in every block.
"""

from __future__ import annotations

import itertools
import re
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from services.lm.hooks import Family, Place, input_of, n_layers, norm_of, output_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

Found = dict[str, tuple[str, Place]]
_N_TOKENS = 8
_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
_MLP = re.compile(r"mlp|ffn|feed_?forward|moe", re.IGNORECASE)
_NORM = re.compile(r"norm|^ln", re.IGNORECASE)


@dataclass(slots=True)
class _Seen:
    """What went into and came out of a module, [n, width] each; None where that is no such."""

    name: str
    module: nn.Module
    before: Tensor | None
    after: Tensor | None


@dataclass(slots=True)
class _Block:
    """One block's pass: the residual stream around it, and its parts in the order they ran."""

    before: Tensor
    after: Tensor
    parts: list[_Seen]
    inner: dict[str, list[_Seen]] = field(default_factory=dict)  # matrices within a part


_discovered: weakref.WeakKeyDictionary[Any, Family | None] = weakref.WeakKeyDictionary()


def discover(model: PreTrainedModel) -> Family | None:
    """Where `model` keeps its blocks, and the hook points that all of them have.

    None when there is no single list of as many blocks as the model has layers, each of which
    reads what the one before it wrote.
    """
    if model not in _discovered:
        path = _block_list(model)
        _discovered[model] = None if path is None else _look(model, path)
    return _discovered[model]


def _block_list(model: PreTrainedModel) -> str | None:
    """Path of the one list of blocks of the part of `model` that writes text."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model
    names = {module: name for name, module in model.named_modules()}
    lists = [
        names[module]
        for module in (decoder or model).modules()
        if isinstance(module, nn.ModuleList) and len(module) == n_layers(model)
    ]
    outer = [a for a in lists if not any(a.startswith(f"{b}.") for b in lists)]
    return outer[0] if len(outer) == 1 else None


def _look(model: PreTrainedModel, path: str) -> Family | None:
    blocks = _watch(model, list(model.get_submodule(path).children()))
    if blocks is None:
        return None
    for one, following in itertools.pairwise(blocks):
        if not _same(one.after, following.before):
            return None
    found: Found = {"hook_resid_pre": ("", "input"), "hook_resid_post": ("", "output")}
    inside = [_points(block) for block in blocks]
    for name, where in inside[0].items():
        if all(points.get(name) == where for points in inside):
            found[name] = where
    return Family(path, found)


@torch.inference_mode()
def _watch(model: PreTrainedModel, blocks: list[nn.Module]) -> list[_Block] | None:
    """Each block's pass over a few tokens; None when a block is not run as expected."""
    seen: dict[nn.Module, _Seen] = {}

    def keep(name: str, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        # The first call counts: dropout and the like are shared.
        if module not in seen:
            seen[module] = _Seen(
                name, module, _rows(input_of(args, kwargs)), _rows(output_of(output))
            )

    with ExitStack() as hooks:
        for module, name in _watched(blocks):
            handle = module.register_forward_hook(partial(keep, name), with_kwargs=True)
            hooks.callback(handle.remove)
        embedding: Any = model.get_input_embeddings()
        ids = torch.arange(3, 3 + _N_TOKENS, device=model.device) % embedding.weight.shape[0]
        try:
            model.base_model(input_ids=ids[None], use_cache=False)
        except (TypeError, ValueError, LookupError, AttributeError, RuntimeError):
            return None  # it wants more than a text
    passes = [_pass(block, seen) for block in blocks]
    return None if None in passes else passes  # type: ignore[return-value]


def _watched(blocks: list[nn.Module]) -> Iterator[tuple[nn.Module, str]]:
    for block in blocks:
        yield block, ""
        for name, part in block.named_children():
            yield part, name
            for inner_name, inner in part.named_modules():
                if inner is not part and type(inner).__name__ in ("Linear", "Conv1D"):
                    yield inner, f"{name}.{inner_name}"


def _pass(block: nn.Module, seen: dict[nn.Module, _Seen]) -> _Block | None:
    around = seen.get(block)
    if around is None or around.before is None or around.after is None:
        return None
    if around.before.shape != around.after.shape:
        return None
    parts = [
        seen[part]
        for part in block.children()
        if part in seen and not isinstance(part, nn.Dropout | nn.Identity)
    ]
    order = {module: i for i, module in enumerate(seen)}
    parts.sort(key=lambda part: order[part.module])
    return _Block(
        around.before,
        around.after,
        parts,
        {
            p.name: [seen[m] for m in p.module.modules() if m in seen and m is not p.module]
            for p in parts
        },
    )


def _points(block: _Block) -> Found:
    """The hook points inside a block whose numbers agree."""
    attention = _only([p for p in block.parts if _is(p, _ATTENTION)])
    if attention is None:
        return {}
    written = _written(block, attention)
    if written is None:
        return {}
    attn_out, mlp_out = written
    found: Found = {
        "hook_attn_out": (attn_out.name, "output"),
        "hook_mlp_out": (mlp_out.name, "output"),
    }
    middle = None if attn_out.after is None else block.before + attn_out.after
    reader = next((p for p in block.parts if _same(p.before, middle)), None)
    if reader is not None:
        found["hook_resid_mid"] = (reader.name, "input")
    projection = _only([m for m in block.inner[attention.name] if _same(m.after, attention.after)])
    if projection is not None:
        found["attn.hook_z"] = (projection.name, "input")
    return found | _mlp_points(block, attention, mlp_out, reader)


def _written(block: _Block, attention: _Seen) -> tuple[_Seen, _Seen] | None:
    """The parts whose outputs attention and MLP add to the residual stream, if two do."""
    parts: list[_Seen] = []
    for part in block.parts:
        # Something that passes on what it gets is not counted again.
        if part.after is not None and not any(_same(part.after, p.after) for p in parts):
            parts.append(part)
    pairs = [
        (a, m)
        for a, m in itertools.permutations(parts, 2)
        if (a is attention or (_is_norm(a) and _same(a.before, attention.after)))
        and _adds_up(block.before, a.after, m.after, block.after)
    ]
    return _only(pairs)


def _mlp_points(block: _Block, attention: _Seen, mlp_out: _Seen, reader: _Seen | None) -> Found:
    mlp = _only([p for p in block.parts if p is not attention and _is(p, _MLP)])
    if mlp is None or not (mlp is mlp_out or _same(mlp_out.before, mlp.after)):
        return {}
    found: Found = {"mlp.hook_in": (mlp.name, "input")}
    norm = _only([p for p in block.parts if _is_norm(p) and _same(p.after, mlp.before)])
    if norm is None:
        # Some families normalise only what the MLP writes: it reads the residual stream itself.
        if reader is not None and reader is mlp:
            found["hook_mlp_in"] = (mlp.name, "input")
        return found
    found["hook_mlp_in"] = (norm.name, "input")
    if norm_of(norm.module) is not None:
        found["ln2.hook_normalized"] = (norm.name, "normalized")
    return found


def _is(part: _Seen, what: re.Pattern[str]) -> bool:
    named = what.search(part.name) or what.search(type(part.module).__name__)
    return named is not None and not _is_norm(part)


def _is_norm(part: _Seen) -> bool:
    return _NORM.search(type(part.module).__name__) is not None


def _only(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else None


def _rows(value: Any) -> Tensor | None:
    """One vector per token, or None."""
    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.ndim < 2:
        return None
    if value.numel() != _N_TOKENS * value.shape[-1]:
        return None
    return value.reshape(_N_TOKENS, -1).clone()


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    """Whether they are the same numbers, token by token, but for the order of a sum in float32."""
    if a is None or b is None or a.shape != b.shape:
        return False
    if b.dtype.itemsize < 4:  # coarse, but the same sum is rounded in the same way
        return bool((a == b).float().mean() > 0.999)
    return bool(((a - b).norm(dim=-1) <= 1e-5 * b.norm(dim=-1)).all())


def _adds_up(x: Tensor, a: Tensor | None, m: Tensor | None, y: Tensor) -> bool:
    """Whether `x + a + m` is `y`, in any order, and neither is too small to tell."""
    if a is None or m is None or not a.shape == m.shape == x.shape:
        return False
    sums = ((x + a) + m, x + (a + m), (x + m) + a)
    return any(_same(s, y) for s in sums) and not _same(x + a, y) and not _same(x + m, y)
