"""What the layouts share: from the names in their files to a `FoundSae` that is known to fit."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from services.lm.weight_files import TensorSpec, broken
from services.sae.config import expected_shapes, parse_config
from services.sae.formats.found import FoundSae, Part, Step
from services.sae.formats.place import Place

TRANSPOSE = Step("transpose")
FORMAT_VERSION = "6.0.0"  # of sae-lens, since which cfg.json is laid out as it is written here
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_TOP_LEVEL = (
    "architecture", "d_in", "d_sae", "d_out", "k", "apply_b_dec_to_input", "normalize_activations",
    "rescale_acts_by_decoder_norm", "reshape_activations",
)  # fmt: skip
UNKNOWN_HOOK = "blocks.0.hook_resid_post"  # for checks while the real one is still to be said


@dataclass(frozen=True)
class Draft:
    """An SAE as a layout describes it."""

    format: str
    weights: Sequence[Path]
    config: Mapping[str, Any]
    parts: Mapping[str, Part]
    others: Sequence[Path | None] = ()  # configurations that were read beside the weights
    scale: float | None = None  # of the inputs, to be folded into the weights
    out_scale: float | None = None  # of what it writes; that of the inputs if None
    input_norm: float | None = None  # the mean norm of unscaled inputs in training, where known
    published: Mapping[str, float | None] = field(default_factory=dict)
    ones: tuple[tuple[Path, str], ...] = ()
    path: str | None = None  # the place's if None


def part(
    file: Path, specs: Mapping[str, TensorSpec], name: str, *steps: Step, dtype: str = ""
) -> Part:
    """The tensor `name` of `file` after `steps`; `Unsupported` when it is not there."""
    spec = specs.get(name)
    if spec is None:
        there = ", ".join(sorted(specs)[:12])[:300]
        raise broken(file, f"lacks the tensor {name} (it has {there})", "copy or convert it again")
    if not dtype and spec.dtype not in _DTYPES:
        raise broken(file, f"keeps {name} as {spec.dtype}", "convert it to float or bfloat16")
    shape = spec.shape
    for step in steps:
        shape = _shape_after(file, name, shape, step)
    return Part(shape, dtype or spec.dtype, file, name, steps=steps)


def config(architecture: str, d_in: int, d_sae: int, **rest: Any) -> dict[str, Any]:
    """A cfg.json of sae-lens' version 6; metadata of value None is left out."""
    meta = {k: v for k, v in rest.pop("metadata", {}).items() if v is not None}
    return {
        "architecture": architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
        **rest,
        "metadata": meta,
    }


def found(place: Place, draft: Draft) -> FoundSae:
    """The SAE of the draft with what the catalogue says; `Unsupported` when its parts disagree."""
    cfg = _with_overrides(draft.config, place)
    meta = cfg["metadata"]
    if draft.input_norm is not None:
        meta["expected_input_norm"] = draft.input_norm  # folding takes the scale away
    parts = _folded(draft.parts, draft.scale, draft.out_scale)
    named = {"model_id": meta.get("model_name"), "hook_name": _hook(meta)}
    _check_plain(cfg, draft.weights[0])
    checked = {**cfg, "metadata": {**meta, "hook_name": named["hook_name"] or UNKNOWN_HOOK}}
    _check(checked, parts, draft.weights[0])
    cfg["dtype"] = _DTYPES[parts["W_enc"].dtype]
    return FoundSae(
        path=place.path if draft.path is None else draft.path,
        format=draft.format,
        files=(*draft.weights, *(file for file in draft.others if file is not None)),
        config=cfg,
        parts=parts,
        published=_published(place, draft.published),
        needs=tuple(name for name, value in named.items() if not value),
        ones=draft.ones,
    )


def number(file: Path, raw: Mapping[str, Any], name: str) -> float:
    """A positive number of a configuration; `Unsupported` says which one is missing."""
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e30:
        raise broken(file, f"has no usable {name}", "copy or download it again")
    return float(value)


def layer_of(text: str) -> int | None:
    """The layer that a path names last."""
    named = re.findall(
        r"(?:(?:^|[/_.-])layers?[._-]?|(?:^|[/-])l)(\d+)(?![0-9kKmM])", text, re.IGNORECASE
    )
    return int(named[-1]) if named else None


def hook_in(text: str) -> str | None:
    """The hook name of TransformerLens that a path names last."""
    named = re.findall(r"blocks\.\d+\.(?:attn\.|mlp\.|ln2\.)?hook_[a-z_]*[a-z]", text)
    return named[-1] if named else None


def _shape_after(file: Path, name: str, shape: tuple[int, ...], step: Step) -> tuple[int, ...]:
    if step.kind == "transpose":
        return shape[::-1]
    if step.kind == "sum" and len(shape) > step.value:
        return tuple(n for axis, n in enumerate(shape) if axis != step.value)
    if step.kind == "spread":
        if TensorSpec("", shape).numel != 1:
            raise broken(file, f"has {name} {list(shape)} where one number is due", "copy it again")
        return (int(step.value),)
    return shape


def _with_overrides(cfg: Mapping[str, Any], place: Place) -> dict[str, Any]:
    merged, meta = dict(cfg), dict(cfg["metadata"])
    given = place.hints.overrides.get("config_overrides")
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if value != "expected_average_only_in":  # its scale is folded into the parts
            (merged if name in _TOP_LEVEL else meta)[name] = value
    meta["neuronpedia_id"] = place.said("neuronpedia_id") or meta.get("neuronpedia_id")
    meta["model_name"] = meta.get("model_name") or place.said("model_name", "model") or ""
    meta["sae_lens_version"] = FORMAT_VERSION
    return {**merged, "device": "cpu", "metadata": meta}


def _hook(meta: Mapping[str, Any]) -> Any:
    return meta.get("hook_name") or meta.get("hf_hook_name")


def _folded(parts: Mapping[str, Part], scale: float | None, out: float | None) -> dict[str, Part]:
    """`parts` for unscaled activations, of an SAE that was trained on `scale` times them."""
    if scale is None or (scale == 1 and out in (None, 1)):
        return dict(parts)
    by = 1 / (out or scale)
    folds = {"W_enc": scale, "W_dec": by, "b_dec": by, "W_skip": scale * by}
    return {
        name: replace(p, steps=_with_scale(p.steps, folds[name])) if name in folds else p
        for name, p in parts.items()
    }


def _with_scale(steps: tuple[Step, ...], value: float) -> tuple[Step, ...]:
    """Before the decoder's lengths are taken, which are those of the folded decoder."""
    at = next((i for i, step in enumerate(steps) if step.kind == "norm"), len(steps))
    return (*steps[:at], Step("scale", value), *steps[at:])


def _check_plain(cfg: Mapping[str, Any], file: Path) -> None:
    meta = cfg["metadata"]
    for name in ("model_name", "hook_name", "neuronpedia_id"):
        value = meta.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > 200):
            raise broken(file, f"comes with a {name} that is no short text", "correct it")
    try:
        json.dumps(cfg, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        raise broken(file, "comes with NaN in its configuration", "correct it") from None


def _check(cfg: Mapping[str, Any], parts: Mapping[str, Part], file: Path) -> None:
    shapes = expected_shapes(parse_config(cfg, file))
    for name, shape in shapes.items():
        there = parts.get(name)
        if there is None:
            raise broken(file, f"lacks the tensor {name}", "copy or convert the SAE again")
        if there.shape != shape:
            turned = " (transposed)" if there.shape == shape[::-1] and len(shape) == 2 else ""
            problem = f"gives {name} {list(there.shape)}{turned} where {list(shape)} is due"
            raise broken(file, problem, "copy or convert the SAE again")


def _published(place: Place, stated: Mapping[str, float | None]) -> dict[str, float]:
    """Figures of the publisher; a catalogue's 0 and 1 stand for unknown."""
    values = {
        **stated,
        "l0": place.said("l0", "expected_l0") or stated.get("l0"),
        "explained_variance": place.said("variance_explained", "explained_variance")
        or stated.get("explained_variance"),
    }
    unknown = {"l0": (0,), "explained_variance": (0, 1)}
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value not in unknown.get(name, ())
    }
