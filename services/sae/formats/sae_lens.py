"""sae-lens: `cfg.json` and `sae_weights.safetensors`, before and since version 6.

Training checkpoints too: BatchTopK and Matryoshka become the JumpReLU SAEs that sae-lens saves
them as, with the threshold that was learnt and the decoder's lengths folded in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.lm.weight_files import TensorSpec
from services.sae.config import (
    CONFIG,
    WEIGHTS,
    SaeConfig,
    as_version_6,
    expected_shapes,
    norm_at,
    parse_config,
    scale_of,
)
from services.sae.formats.arrays import read_specs
from services.sae.formats.building import UNKNOWN_HOOK, Draft, found, part
from services.sae.formats.found import FoundSae, Part, Step
from services.sae.formats.place import Place

_BATCH = ("batchtopk", "matryoshka_batchtopk")
_META = (
    "model_name", "hook_name", "hf_hook_name", "hook_name_out", "hf_hook_name_out", "hook_layer",
    "hook_head_index", "model_class_name", "model_from_pretrained_kwargs", "prepend_bos",
    "exclude_special_tokens", "neuronpedia_id", "context_size", "seqpos_slice", "dataset_path",
    "training_architecture", "l0", "num_dead_features", "expected_input_norm", "decoder_is_summed",
)  # fmt: skip
_KEPT = (
    "d_in", "d_sae", "d_out", "k", "rescale_acts_by_decoder_norm", "n_heads", "n_attn_layers",
    "bottleneck_factor", "sae_diff_type", "kval_topk", "tied_weights", "residual_threshold",
    "max_iterations", "activation_normalization_factor",
)  # fmt: skip


def claims(place: Place) -> tuple[str, ...]:
    """The weight files of this layout."""
    return (WEIGHTS,) if place.file(CONFIG) and place.file(WEIGHTS) else ()


def read(place: Place, name: str) -> FoundSae:
    """The SAE of the folder."""
    file, scaler = place.folder / name, place.file("activation_scaler.json")
    raw, stated = _overridden(as_version_6(place.json(CONFIG)), place)
    is_batch = raw.get("architecture") in _BATCH
    cfg = _config(raw, "jumprelu" if is_batch else raw.get("architecture", "standard"))
    parsed = _parsed({**raw, **cfg}, place.folder / CONFIG)
    cfg["normalize_activations"] = parsed.normalize_activations
    specs = read_specs(file)
    if is_batch:
        parts = _of_batch_top_k(file, specs, raw, parsed.input_scale)
        cfg["rescale_acts_by_decoder_norm"] = False
    else:
        parts = {n: part(file, specs, n) for n in expected_shapes(parsed) or specs}
    return found(
        place,
        Draft(
            format="sae_lens",
            weights=(file,),
            config=cfg,
            parts=parts,
            others=(place.folder / CONFIG, scaler),
            scale=parsed.input_scale,
            input_norm=norm_at(
                parsed.d_in, stated if parsed.input_scale == 1 else parsed.input_scale
            ),
            published={"l0": cfg["metadata"].get("l0")},
            ones=((file, "scaling_factor"),) if "scaling_factor" in specs else (),
        ),
    )


def _parsed(raw: Mapping[str, Any], path: Path) -> SaeConfig:
    """As it is read at run time; the hook name may still be missing."""
    meta = raw["metadata"]
    if not meta.get("hook_name") and not meta.get("hf_hook_name"):
        meta = {**meta, "hook_name": UNKNOWN_HOOK}
    return parse_config({**raw, "metadata": meta}, path)


def _overridden(raw: dict[str, Any], place: Place) -> tuple[dict[str, Any], Any]:
    """With the scale and the normalisation of the catalogue; and the scale that it says itself.

    Where `parse_config` reads the scale, which may be in the metadata, of which not all is kept.
    """
    scale, mode = place.said("norm_scaling_factor"), place.said("normalize_activations")
    stated = scale_of(raw)
    if mode is not None:
        raw["normalize_activations"] = mode
    if scale is not None or stated is not None:
        raw["norm_scaling_factor"] = stated if scale is None else scale
    return raw, stated


def _config(raw: Mapping[str, Any], architecture: Any) -> dict[str, Any]:
    """What of the configuration is known to the run-time format; training settings are left out."""
    meta = {k: raw["metadata"][k] for k in _META if raw["metadata"].get(k) is not None}
    hook = meta.get("hook_name")
    default = "hook_z" if isinstance(hook, str) and "hook_z" in hook else "none"
    return {
        "architecture": architecture,
        **{name: raw[name] for name in _KEPT if raw.get(name) is not None},
        "apply_b_dec_to_input": bool(raw.get("apply_b_dec_to_input", True))
        and "transcoder" not in str(architecture),
        "reshape_activations": raw.get("reshape_activations") or default,
        "metadata": meta,
    }


def _of_batch_top_k(
    file: Path, specs: Mapping[str, TensorSpec], raw: Mapping[str, Any], scale: float
) -> dict[str, Part]:
    names = ("W_enc", "b_enc", "W_dec", "b_dec")
    parts = {name: part(file, specs, name) for name in names}
    steps = [Step("above", 0.0), Step("spread", parts["b_enc"].shape[-1])]
    if raw.get("rescale_acts_by_decoder_norm", True):
        norm = {"W_enc": 1.0, "b_enc": 1.0, "W_dec": -1.0}
        parts |= {n: replace(parts[n], steps=(Step("norm", p),)) for n, p in norm.items()}
        steps.append(Step("scale", 1 / scale))  # the decoder's lengths are divided by it too
    dtype = parts["b_enc"].dtype
    return {**parts, "threshold": part(file, specs, "topk_threshold", *steps, dtype=dtype)}
