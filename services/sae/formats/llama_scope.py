"""Llama Scope: `hyperparams.json` with `checkpoints/final.safetensors`; later `config.json`.

Trained on activations scaled to a mean length of sqrt(d_model); the scale is folded into the
weights. The threshold of the first releases counts in unscaled activations; where
`sparsity_include_decoder_norm` is set, what is compared with it is the activation times the
length of the feature's decoder row, which is folded into a threshold of its own per feature.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.lm.weight_files import TensorSpec, broken
from services.sae.config import CONFIG, WEIGHTS, norm_at
from services.sae.formats.arrays import read_number, read_specs
from services.sae.formats.building import TRANSPOSE, Draft, config, found, number, part
from services.sae.formats.found import FoundSae, Part, Step
from services.sae.formats.place import Place

_HYPERPARAMETERS = "hyperparams.json"
_MODELS = {
    r"r1-distill": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
    r"llama-?3_1-8b": "meta-llama/Llama-3.1-8B",
}
_NORMS = ("dataset-wise", "inference", "token-wise", "none", None)


def claims(place: Place) -> tuple[str, ...]:
    """The weight files of the first releases."""
    if not place.file(_HYPERPARAMETERS):
        return ()
    names = ("checkpoints/final.safetensors", "final.safetensors")
    return tuple(name for name in names if place.file(name))[:1]


def claims_later(place: Place) -> tuple[str, ...]:
    """The weight files of the later releases."""
    is_one = place.file(WEIGHTS) and place.file("config.json") and not place.file(CONFIG)
    return (WEIGHTS,) if is_one else ()


def read(place: Place, name: str) -> FoundSae:
    """The SAE of the folder, of a first release."""
    return _read(place, name, _HYPERPARAMETERS)


def read_later(place: Place, name: str) -> FoundSae:
    """The SAE of the folder, of a later release."""
    return _read(place, name, "config.json")


def _read(place: Place, name: str, config_name: str) -> FoundSae:
    file, about = place.folder / name, place.folder / config_name
    raw, specs = place.json(config_name), read_specs(file)
    _refuse(about, raw)
    parts = _matrices(file, specs, raw)
    d_sae = (*parts["W_enc"].shape, 0)[1]
    d_model = int(number(about, raw, "d_model"))
    hook, out = raw.get("hook_point_in"), raw.get("hook_point_out")
    scale, out_scale = _scales(place, about, raw, specs, file)
    rest: dict[str, Any] = {
        "apply_b_dec_to_input": bool(raw.get("apply_decoder_bias_to_pre_encoder"))
    }
    architecture = _architecture(about, raw, specs, rest)
    if architecture == "jumprelu":
        parts["threshold"] = _threshold(file, about, raw, specs, (scale, out_scale), d_sae)
    if out and out != hook:
        architecture += "_transcoder"
        architecture = architecture.removeprefix("standard_")
        rest["d_out"] = (*parts["W_dec"].shape, 0)[1]
    if raw.get("norm_activation") == "token-wise":
        rest["normalize_activations"] = "constant_norm_rescale"
    return found(
        place,
        Draft(
            format="llama_scope" if config_name == _HYPERPARAMETERS else "llama_scope_r1",
            weights=(file,),
            config=config(
                architecture, d_model, d_sae, metadata=_metadata(place, hook, out), **rest
            ),
            parts=parts,
            others=(about,),
            scale=scale,
            input_norm=norm_at(d_model, scale),
            out_scale=out_scale,
        ),
    )


def _refuse(about: Path, raw: Mapping[str, Any]) -> None:
    if raw.get("use_glu_encoder"):
        raise broken(about, "has a gated linear encoder", "this is not supported")
    if raw.get("norm_activation") not in _NORMS:
        problem = f"has norm_activation={str(raw['norm_activation'])[:40]!r}"
        known = ", ".join(str(n) for n in _NORMS if n)
        raise broken(about, problem, f"known are {known}")


def _matrices(
    file: Path, specs: Mapping[str, TensorSpec], raw: Mapping[str, Any]
) -> dict[str, Part]:
    if "W_E" in specs:
        names = {"W_enc": "W_E", "b_enc": "b_E", "W_dec": "W_D", "b_dec": "b_D"}
        parts = {ours: part(file, specs, theirs) for ours, theirs in names.items()}
    else:
        parts = {
            "W_enc": part(file, specs, "encoder.weight", TRANSPOSE),
            "b_enc": part(file, specs, "encoder.bias"),
            "W_dec": part(file, specs, "decoder.weight", TRANSPOSE),
        }
        width = (*parts["W_dec"].shape, 0)[1]
        has_bias = raw.get("use_decoder_bias", True)
        zeros = Part((width,), parts["W_dec"].dtype)
        parts["b_dec"] = part(file, specs, "decoder.bias") if has_bias else zeros
    return parts


def _architecture(
    about: Path, raw: Mapping[str, Any], specs: Mapping[str, TensorSpec], rest: dict[str, Any]
) -> str:
    kind = str(raw.get("act_fn", "jumprelu")).lower()
    if "jumprelu" in kind or "log_jumprelu_threshold" in specs:
        return "jumprelu"
    if kind == "topk":
        rest["k"] = int(number(about, raw, "top_k"))
        rest["rescale_acts_by_decoder_norm"] = bool(raw.get("sparsity_include_decoder_norm", True))
        return "topk"
    if kind == "relu":
        return "standard"
    raise broken(about, f"has act_fn={kind[:40]!r}", "known are jumprelu, topk, relu")


def _threshold(
    file: Path,
    about: Path,
    raw: Mapping[str, Any],
    specs: Mapping[str, TensorSpec],
    scales: tuple[float | None, float | None],
    d_sae: int,
) -> Part:
    """Per feature, in the units of its activation once the scale is folded in."""
    scale, out_scale = scales[0] or 1.0, scales[1] or scales[0] or 1.0
    by_length = raw.get("sparsity_include_decoder_norm", True)
    learnt = next((n for n in specs if n.endswith("log_jumprelu_threshold")), None)
    if learnt is not None:  # in scaled activations
        steps = (Step("scale", 1 / out_scale), Step("norm", -1.0)) if by_length else ()
        return part(file, specs, learnt, Step("exp"), *steps)
    value = raw.get("jump_relu_threshold")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e30:
        raise broken(about, "has no usable jump_relu_threshold", "copy or download it again")
    # Lengths are those of the folded decoder, already divided by the scale.
    step = Step("norm", -1.0) if by_length else Step("scale", scale)
    return Part((d_sae,), "F32", file, fill=float(value), steps=(step,))


def _scales(
    place: Place, about: Path, raw: Mapping[str, Any], specs: Mapping[str, TensorSpec], file: Path
) -> tuple[float | None, float | None]:
    """What activations were multiplied by in training, where it is read and where it writes."""
    if raw.get("norm_activation", "dataset-wise") != "dataset-wise":
        return None, None
    root = number(about, raw, "d_model") ** 0.5
    norms = raw.get("dataset_average_activation_norm")
    if isinstance(norms, dict) and norms:
        into = number(about, norms, "in")
        return root / into, root / number(about, {"out": into, **norms}, "out")
    key = "dataset_average_activation_norm."
    hooks = [raw.get("hook_point_in"), raw.get("hook_point_out") or raw.get("hook_point_in")]
    if all(f"{key}{hook}" in specs for hook in hooks):
        sizes = [number(file, {key: read_number(file, f"{key}{hook}")}, key) for hook in hooks]
        return root / sizes[0], root / sizes[1]
    given = place.said("norm_scaling_factor")
    if given is None:
        raise broken(
            about,
            "scales activations by their mean length in the dataset, which it does not say",
            "add it from the catalogue, which does, or record dataset_average_activation_norm",
        )
    factor = number(about, {"norm_scaling_factor": given}, "norm_scaling_factor")
    return factor, None


def _metadata(place: Place, hook: Any, out: Any) -> dict[str, Any]:
    known = (m for pattern, m in _MODELS.items() if re.search(pattern, place.origin, re.I))
    return {
        "model_name": next(known, None),
        "hook_name": hook,
        "hook_name_out": out if out != hook else None,
        "prepend_bos": True,
        "context_size": 1024,
        "dataset_path": "cerebras/SlimPajama-627B",
    }
