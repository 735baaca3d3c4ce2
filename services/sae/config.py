"""`cfg.json` of an SAE, read and judged: the sae-lens disk format, before and since version 6.

Nothing here imports torch or sae-lens; what is wrong is told before anything is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.lm.weight_files import TensorSpec, broken, read_header, read_json

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
NATIVE = frozenset(
    {
        "standard",
        "jumprelu",
        "topk",
        "abstopk",
        "transcoder",
        "skip_transcoder",
        "jumprelu_transcoder",
        "jumprelu_skip_transcoder",
        "topk_transcoder",  # not of sae-lens: sparsify's transcoders
        "topk_skip_transcoder",
    }
)
BY_SAE_LENS = frozenset({"gated", "temporal", "matching_pursuit"})
_NORMALISATIONS = ("none", "layer_norm", "constant_norm_rescale")
_FLOATS = {"F64", "F32", "F16", "BF16"}


@dataclass(frozen=True, slots=True)
class SaeConfig:
    """What an SAE expects and how it computes."""

    architecture: str
    d_in: int
    d_sae: int
    d_out: int  # width of what it writes; differs from d_in in transcoders only
    model_name: str
    hook_name: str  # in TransformerLens' vocabulary
    hf_hook_name: str | None  # the same as a transformers module path, when recorded
    layer: int
    neuronpedia_id: str | None
    k: int | None  # of topk, abstopk and the topk transcoders
    apply_b_dec_to_input: bool
    rescale_acts_by_decoder_norm: bool
    normalize_activations: str  # none | layer_norm | constant_norm_rescale
    input_scale: float  # a dataset-wide scale of the inputs that the weights still lack; 1 if none
    centres_input: bool  # trained on a residual stream with its mean over d_model removed

    @property
    def is_native(self) -> bool:
        """Whether it is read here; otherwise sae-lens does it."""
        return self.architecture in NATIVE

    @property
    def is_jumprelu(self) -> bool:
        """Whether each feature has a threshold."""
        return self.architecture.startswith("jumprelu")


def read_config(folder: Path) -> SaeConfig:
    """The configuration in `folder`; `Unsupported` says which value cannot be handled."""
    path = folder / CONFIG
    return parse_config(read_json(path), path)


def parse_config(raw: Mapping[str, Any], path: Path) -> SaeConfig:
    """The configuration `raw`, read from `path`, beside which its weights lie."""
    cfg = as_version_6(raw)
    meta = cfg.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    architecture = cfg.get("architecture", "standard")
    if not isinstance(architecture, str) or architecture not in NATIVE | BY_SAE_LENS:
        known = ", ".join(sorted(NATIVE | BY_SAE_LENS))
        raise broken(path, f"names the architecture {architecture!r}", f"known are {known}")
    if meta.get("hook_head_index") is not None:
        raise broken(path, "reads a single attention head", "this is not supported")
    hook_name = _hook_name(path, meta)
    d_in = _size(path, cfg, "d_in")
    mode, scale = _normalisation(path, cfg)
    kwargs = meta.get("model_from_pretrained_kwargs")
    centred = isinstance(kwargs, dict) and kwargs.get("center_writing_weights")
    return SaeConfig(
        architecture=architecture,
        d_in=d_in,
        d_sae=_size(path, cfg, "d_sae"),
        d_out=_size(path, cfg, "d_out") if "transcoder" in architecture else d_in,
        model_name=str(meta.get("model_name") or ""),
        hook_name=hook_name,
        hf_hook_name=_text(meta.get("hf_hook_name")),
        layer=_layer(path, hook_name, meta),
        neuronpedia_id=_text(meta.get("neuronpedia_id")),
        k=_size(path, cfg, "k") if "topk" in architecture else None,
        apply_b_dec_to_input=bool(cfg.get("apply_b_dec_to_input", True))
        and "transcoder" not in architecture,
        rescale_acts_by_decoder_norm=bool(cfg.get("rescale_acts_by_decoder_norm", False)),
        normalize_activations=mode,
        input_scale=scale,
        # Only what is written to the residual stream is centred, not what heads compute inside.
        centres_input=bool(centred)
        and re.search(r"hook_(resid|attn_out|mlp_out)", hook_name) is not None,
    )


def check_weights(folder: Path, config: SaeConfig) -> None:
    """Raise `Unsupported` unless the weight file has the tensors that `config` calls for."""
    path = folder / WEIGHTS
    specs = read_header(path)
    for name, shape in expected_shapes(config).items():
        spec = specs.get(name)
        if spec is None:
            raise broken(path, f"lacks the tensor {name}", "copy or convert the SAE again")
        if spec.shape != shape:
            turned = " (transposed)" if spec.shape == shape[::-1] and len(shape) == 2 else ""
            problem = f"has {name} {list(spec.shape)}{turned} where {CONFIG} says {list(shape)}"
            raise broken(path, problem, "convert the SAE again")
    _check_dtypes(path, specs)


def _check_dtypes(path: Path, specs: Mapping[str, TensorSpec]) -> None:
    for name, spec in specs.items():
        if spec.dtype not in _FLOATS:
            raise broken(path, f"keeps {name} as {spec.dtype}", "convert it to float or bfloat16")


def expected_shapes(config: SaeConfig) -> dict[str, tuple[int, ...]]:
    """The tensors that an SAE of this configuration has."""
    if config.architecture in ("temporal", "matching_pursuit"):
        return {}  # sae-lens checks the tensors of these architectures
    shapes: dict[str, tuple[int, ...]] = {
        "W_enc": (config.d_in, config.d_sae),
        "b_enc": (config.d_sae,),
        "W_dec": (config.d_sae, config.d_out),
        "b_dec": (config.d_out,),
    }
    if config.is_jumprelu:
        shapes["threshold"] = (config.d_sae,)
    if "skip" in config.architecture:
        shapes["W_skip"] = (config.d_out, config.d_in)
    if config.architecture == "gated":
        del shapes["b_enc"]
        shapes |= dict.fromkeys(("b_gate", "b_mag", "r_mag"), (config.d_sae,))
    return shapes


def as_version_6(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Configurations of sae-lens before 6 keep everything on one level under older names."""
    if isinstance(cfg.get("metadata"), dict):
        return dict(cfg)
    old = {"hook_point": "hook_name", "hook_point_head_index": "hook_head_index"}
    flat = {old.get(key, key): value for key, value in cfg.items()}
    kind = flat.get("activation_fn_str", flat.get("activation_fn"))
    kwargs = flat.get("activation_fn_kwargs")
    if kind == "topk" and isinstance(kwargs, dict) and kwargs.get("k"):
        flat |= {"architecture": "topk", "k": kwargs["k"]}
    mode = flat.get("normalize_activations")
    if mode is None or isinstance(mode, bool):
        flat["normalize_activations"] = "expected_average_only_in" if mode else "none"
    return {**flat, "metadata": flat}


def scale_of(cfg: Mapping[str, Any]) -> Any:
    """What the configuration says that inputs were multiplied by in training, if anything."""
    meta = cfg.get("metadata")
    own = cfg.get("norm_scaling_factor")
    return meta.get("norm_scaling_factor") if own is None and isinstance(meta, dict) else own


def norm_at(d_in: int, scale: Any) -> float | None:
    """The mean norm of inputs that `scale` maps to the usual mean of √d_in; None if it is none."""
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < 1e30:
        return None
    return float(d_in**0.5 / scale)


def _normalisation(path: Path, cfg: Mapping[str, Any]) -> tuple[str, float]:
    """How inputs are normalised at run time, and the scale to fold into the weights."""
    mode = cfg.get("normalize_activations") or "none"
    if mode in _NORMALISATIONS:
        return mode, 1.0
    if mode != "expected_average_only_in":
        raise broken(
            path,
            f"has normalize_activations={mode!r}, which is not part of the weights",
            f"fold it into the weights; {', '.join(_NORMALISATIONS)} are computed here",
        )
    scale = scale_of(cfg)
    scaler = path.parent / "activation_scaler.json"  # sae-lens writes it beside checkpoints
    if scale is None and scaler.exists():
        scale = read_json(scaler).get("scaling_factor")
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < 1e30:
        raise broken(
            path,
            "has normalize_activations='expected_average_only_in' but no scale: its inputs would "
            "go in unscaled and every activation be wrong",
            "fold the scale into the weights, or record it as `norm_scaling_factor`",
        )
    return "none", float(scale)


def _hook_name(path: Path, meta: Mapping[str, Any]) -> str:
    name = meta.get("hook_name") or meta.get("hf_hook_name")
    if not isinstance(name, str) or len(name) > 200:
        raise broken(path, "has no hook_name", "add where in the model the SAE reads")
    return name


def _text(value: Any) -> str | None:
    """`value` where it is a text that says something; what else files hold there says nothing."""
    return value if isinstance(value, str) and value else None


def _layer(path: Path, hook_name: str, meta: Mapping[str, Any]) -> int:
    number = re.search(r"(?:^|\.)(\d+)(?:\.|$)", hook_name)
    layer = int(number[1]) if number else meta.get("hook_layer")
    if hook_name == "hook_embed":
        layer = 0
    if not isinstance(layer, int):
        raise broken(path, f"has a hook_name without a layer ({hook_name!r})", "correct it")
    return layer


def _size(path: Path, cfg: Mapping[str, Any], name: str) -> int:
    value = cfg.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise broken(path, f"has no usable {name}", "copy or convert the SAE again")
    return value
