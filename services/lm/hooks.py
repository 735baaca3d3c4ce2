"""Where activations are read: hook names of the SAE world, found in transformers models.

Names follow TransformerLens (`blocks.3.hook_resid_post`); a module path of the transformers model
with `.input` or `.output` (`model.layers.3.output`), as sae-lens records it, works as well.
Families that are not in the table are looked at while they compute (`services.lm.discovery`).

What is read are the model's own activations. TransformerLens, by default, reads those of weights
that it has processed first. The differences, for SAEs that were trained there:

- `center_writing_weights` (GPT-2, NeoX: models with LayerNorm): what is written to the residual
  stream has its mean over d_model removed. The same follows from subtracting it afterwards, which
  the SAE does where its config asks for it (`SaeConfig.centres_input`).
- `fold_value_biases` (attention with a value bias: GPT-2, NeoX, Qwen 2): the bias is moved behind
  the attention, so that `attn.hook_z` there lacks it: z here - b_V. Nothing corrects this; sae-lens
  trains on unprocessed weights, older SAEs of `hook_z` may not.
- `fold_ln` moves a norm's gain and bias into what reads it. `ln2.hook_normalized` is before them in
  either case, as here; `mlp.hook_in` is after them here, before them there.
- Families with RMSNorm (Llama, Mistral, Qwen, Gemma): nothing else changes what is named here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from services.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

Side = Literal["input", "output"]
Place = Literal["input", "output", "normalized"]  # the last: input / its length, no gain, no bias
Points = Mapping[str, tuple[str, Place]]  # hook -> (module below the block, place)


@dataclass(frozen=True, slots=True)
class Norm:
    """What a norm does before its gain and bias."""

    kind: Literal["rms", "layer"]
    eps: float

    def __call__(self, x: Tensor) -> Tensor:
        """`x` [..., d] of the length sqrt(d), computed in float32 as the models do."""
        y = x.float()
        if self.kind == "layer":
            y = y - y.mean(-1, keepdim=True)
        return (y * (y.pow(2).mean(-1, keepdim=True) + self.eps).rsqrt()).to(x.dtype)


@dataclass(frozen=True, slots=True)
class HookPoint:
    """One side of a module; `width` is the length of the vectors there, where it is known."""

    module: nn.Module
    side: Side
    width: int | None
    norm: Norm | None = None  # the point is what this makes of the module's side: not a place

    def read(self, activations: Tensor) -> Tensor:
        """The values of the point, from those at the module's side."""
        return activations if self.norm is None else self.norm(activations)


@dataclass(frozen=True, slots=True)
class Family:
    """Where one family of models keeps its blocks, and the hook points inside a block."""

    blocks: str
    points: Points


def _block(mlp_norm: str, attention: str, projection: str) -> dict[str, tuple[str, Place]]:
    """A block whose MLP reads the residual stream through `mlp_norm`."""
    return {
        "hook_resid_pre": ("", "input"),
        "hook_resid_mid": (mlp_norm, "input"),
        "hook_resid_post": ("", "output"),
        "hook_attn_out": (attention, "output"),
        "hook_mlp_out": ("mlp", "output"),
        "attn.hook_z": (f"{attention}.{projection}", "input"),
        "hook_mlp_in": (mlp_norm, "input"),
        "ln2.hook_normalized": (mlp_norm, "normalized"),
        "mlp.hook_in": ("mlp", "input"),
    }


_LLAMA = Family("model.layers", _block("post_attention_layernorm", "self_attn", "o_proj"))
# Gemma 2 and 3 normalise what attention and MLP write before it is added to the residual stream.
_GEMMA2 = Family(
    "model.layers",
    {
        **_block("pre_feedforward_layernorm", "self_attn", "o_proj"),
        "hook_attn_out": ("post_attention_layernorm", "output"),
        "hook_mlp_out": ("post_feedforward_layernorm", "output"),
    },
)
FAMILIES: Mapping[str, Family] = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma2": _GEMMA2,
    "gemma3_text": _GEMMA2,
    "gemma3": Family("model.language_model.layers", _GEMMA2.points),  # with a part that sees
    "gpt2": Family("transformer.h", _block("ln_2", "attn", "c_proj")),
    "gpt_neox": Family("gpt_neox.layers", _block("post_attention_layernorm", "attention", "dense")),
}
_IN_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
_IN_LAYERS = re.compile(r"(?:[\w.]+\.)?(?:layers|h)\.(\d+)(.*)")


def resolve(model: PreTrainedModel, hook_name: str) -> HookPoint:
    """The hook point called `hook_name`; `Unsupported` lists what the model offers."""
    match = _IN_BLOCK.fullmatch(hook_name)
    if hook_name == "hook_embed":
        point: HookPoint | None = _point(model, model.get_input_embeddings(), "output")
    else:
        found = _in_family(model, int(match[1]), match[2]) if match else None
        point = found if match else _by_path(model, hook_name)
    if point is None:
        names = offered(model)
        raise Unsupported(
            f"this {model.config.model_type} model has no hook point {hook_name!r}; it offers "
            + ", ".join(names),
            hook_name=hook_name,
            offered=names,
        )
    return point


def offered(model: PreTrainedModel) -> list[str]:
    """The hook names of `model`, with {layer} for the number of the layer."""
    family = family_of(model)
    last = n_layers(model) - 1
    names = family.points if family else {}
    return ["hook_embed", *(f"blocks.{{0..{last}}}.{name}" for name in names)]


def family_of(model: PreTrainedModel) -> Family | None:
    """Where `model` keeps its blocks and what is in them; None where that is not understood."""
    family = FAMILIES.get(model.config.model_type)
    if family is None:
        from services.lm.discovery import discover

        return discover(model)
    if getattr(model.config, "use_parallel_residual", False):
        # Attention and MLP read the same residual stream: there is nothing in the middle.
        points = {n: where for n, where in family.points.items() if n != "hook_resid_mid"}
        return Family(family.blocks, points)
    return family


def n_layers(model: PreTrainedModel) -> int:
    """How many blocks the model that writes text has."""
    return int(getattr(model.config.get_text_config(decoder=True), "num_hidden_layers", 0))


def norm_of(module: nn.Module) -> Norm | None:
    """What `module` computes before its gain and bias; None when it is no norm that is known."""
    from torch import nn

    kind: Literal["rms", "layer"]
    if type(module).__name__.endswith("RMSNorm"):
        kind = "rms"
    elif type(module) is nn.LayerNorm:
        kind = "layer"
    else:
        return None
    names = ("variance_epsilon", "eps", "epsilon")
    found = [getattr(module, name) for name in names if hasattr(module, name)]
    return Norm(kind, float(found[0])) if found and found[0] is not None else None


def input_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The activations among what a module was called with."""
    if args:
        return args[0]
    return kwargs.get("hidden_states", next(iter(kwargs.values()), None))


def output_of(output: Any) -> Any:
    """The activations among what a module returned."""
    return output[0] if isinstance(output, tuple) and output else output


def _in_family(model: PreTrainedModel, layer: int, name: str) -> HookPoint | None:
    family = family_of(model)
    where = family.points.get(name) if family else None
    if family is None or where is None or layer >= n_layers(model):
        return None
    path, place = where
    module = model.get_submodule(f"{family.blocks}.{layer}").get_submodule(path)
    if place == "normalized":
        return HookPoint(module, "input", _width(model, module, "input"), norm_of(module))
    return _point(model, module, place)


def _by_path(model: PreTrainedModel, name: str) -> HookPoint | None:
    path, _, last = name.rpartition(".")
    side: Side = "input" if last == "input" else "output"
    path = path if last in ("input", "output") else name
    if not path:
        return None
    try:
        return _point(model, model.get_submodule(path), side)
    except AttributeError:
        return _in_layers(model, path, side)


def _in_layers(model: PreTrainedModel, path: str, side: Side) -> HookPoint | None:
    """The same layer where this model keeps it: a checkpoint that also sees nests it deeper."""
    match, family = _IN_LAYERS.fullmatch(path), family_of(model)
    if match is None or family is None:
        return None
    try:
        return _point(model, model.get_submodule(f"{family.blocks}.{match[1]}{match[2]}"), side)
    except AttributeError:
        return None


def _point(model: PreTrainedModel, module: nn.Module, side: Side) -> HookPoint:
    return HookPoint(module, side, _width(model, module, side))


def _width(model: PreTrainedModel, module: nn.Module, side: Side) -> int | None:
    weight, kind = getattr(module, "weight", None), type(module).__name__
    if kind in ("Linear", "Conv1D") and weight is not None:
        # Linear keeps its weight [out, in], GPT-2's Conv1D [in, out].
        return int(weight.shape[(kind == "Conv1D") == (side == "output")])
    if weight is not None and weight.ndim in (1, 2):  # a norm's gain; an embedding
        return int(weight.shape[-1])
    hidden_size = getattr(model.config.get_text_config(decoder=True), "hidden_size", None)
    return hidden_size if any(True for _ in module.children()) else None
