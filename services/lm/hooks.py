"""Where activations are read: hook names of the SAE world, found in transformers models.

Names follow TransformerLens (`blocks.3.hook_resid_post`); a module path of the transformers model
with `.input` or `.output` (`model.layers.3.output`), as sae-lens records it, works as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from services.errors import Unsupported

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

Side = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class HookPoint:
    """One side of a module; `width` is the length of the vectors there, where it is known."""

    module: nn.Module
    side: Side
    width: int | None


@dataclass(frozen=True, slots=True)
class Family:
    """Where one family of models keeps its blocks, and the hook points inside a block."""

    blocks: str
    points: Mapping[str, tuple[str, Side]]  # hook -> (module below the block, side)


_LLAMA = Family(
    "model.layers",
    {
        "hook_resid_pre": ("", "input"),
        "hook_resid_mid": ("post_attention_layernorm", "input"),
        "hook_resid_post": ("", "output"),
        "hook_attn_out": ("self_attn", "output"),
        "hook_mlp_out": ("mlp", "output"),
        "attn.hook_z": ("self_attn.o_proj", "input"),
    },
)
# Gemma 2 and 3 normalise what attention and MLP write before it is added to the residual stream.
_GEMMA2 = Family(
    "model.layers",
    {
        **_LLAMA.points,
        "hook_resid_mid": ("pre_feedforward_layernorm", "input"),
        "hook_attn_out": ("post_attention_layernorm", "output"),
        "hook_mlp_out": ("post_feedforward_layernorm", "output"),
    },
)
_GPT2 = Family(
    "transformer.h",
    {
        "hook_resid_pre": ("", "input"),
        "hook_resid_mid": ("ln_2", "input"),
        "hook_resid_post": ("", "output"),
        "hook_attn_out": ("attn", "output"),
        "hook_mlp_out": ("mlp", "output"),
        "attn.hook_z": ("attn.c_proj", "input"),
    },
)
_GPT_NEOX = Family(
    "gpt_neox.layers",
    {
        "hook_resid_pre": ("", "input"),
        "hook_resid_mid": ("post_attention_layernorm", "input"),
        "hook_resid_post": ("", "output"),
        "hook_attn_out": ("attention", "output"),
        "hook_mlp_out": ("mlp", "output"),
        "attn.hook_z": ("attention.dense", "input"),
    },
)
FAMILIES: Mapping[str, Family] = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma2": _GEMMA2,
    "gemma3_text": _GEMMA2,
    "gpt2": _GPT2,
    "gpt_neox": _GPT_NEOX,
}
_TRANSFORMER_LENS = re.compile(r"blocks\.(\d+)\.(.+)")


def resolve(model: PreTrainedModel, hook_name: str) -> HookPoint:
    """The hook point called `hook_name`; `Unsupported` lists what the model offers."""
    match = _TRANSFORMER_LENS.fullmatch(hook_name)
    point = _in_family(model, int(match[1]), match[2]) if match else _by_path(model, hook_name)
    if point is None:
        names = offered(model)
        raise Unsupported(
            f"this {model.config.model_type} model has no hook point {hook_name!r}; it offers "
            + (", ".join(names) or "none: its family is not in services/lm/hooks.py"),
            hook_name=hook_name,
            offered=names,
        )
    return point


def offered(model: PreTrainedModel) -> list[str]:
    """The hook names of `model`, with {layer} for the number of the layer."""
    family = FAMILIES.get(model.config.model_type)
    names = _points(model, family) if family else {}
    last = model.config.num_hidden_layers - 1
    return [f"blocks.{{0..{last}}}.{name}" for name in names]


def _points(model: PreTrainedModel, family: Family) -> Mapping[str, tuple[str, Side]]:
    if getattr(model.config, "use_parallel_residual", False):
        # Attention and MLP read the same residual stream: there is nothing in the middle.
        return {n: where for n, where in family.points.items() if n != "hook_resid_mid"}
    return family.points


def _in_family(model: PreTrainedModel, layer: int, name: str) -> HookPoint | None:
    family = FAMILIES.get(model.config.model_type)
    where = _points(model, family).get(name) if family else None
    if family is None or where is None or layer >= model.config.num_hidden_layers:
        return None
    path, side = where
    block = model.get_submodule(f"{family.blocks}.{layer}")
    return _point(model, block.get_submodule(path), side)


def _by_path(model: PreTrainedModel, name: str) -> HookPoint | None:
    path, _, last = name.rpartition(".")
    side: Side = "input" if last == "input" else "output"
    path = path if last in ("input", "output") else name
    if not path:
        return None
    try:
        return _point(model, model.get_submodule(path), side)
    except AttributeError:
        return None


def _point(model: PreTrainedModel, module: nn.Module, side: Side) -> HookPoint:
    inside = type(module).__name__ in ("Linear", "Conv1D") and hasattr(module, "weight")
    if not inside:
        return HookPoint(module, side, model.config.hidden_size)
    # Linear keeps its weight [out, in], GPT-2's Conv1D [in, out].
    rows, columns = module.weight.shape  # type: ignore[misc]
    flipped = (type(module).__name__ == "Conv1D") == (side == "input")
    return HookPoint(module, side, int(rows if flipped else columns))
