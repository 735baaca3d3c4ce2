"""Transcoders of circuit-tracer: `layer_N.safetensors`, and cross-layer `W_enc_N` with `W_dec_N`.

Of a cross-layer transcoder, a layer's decoders are summed, as sae-lens does: its features are
right, what it reconstructs is not one layer's output.
"""

from __future__ import annotations

import re
from typing import Any

from services.sae.formats.arrays import read_specs
from services.sae.formats.building import TRANSPOSE, Draft, config, found, part
from services.sae.formats.found import FoundSae, Part, Step
from services.sae.formats.place import Place

_CONFIGS = ("config.yaml", "wandb-config.yaml", "wanb-config.yaml")  # the last as it is published
_THRESHOLDS = ("threshold", "activation_function.threshold")


def claims(place: Place) -> tuple[str, ...]:
    """The weight files of one-layer transcoders."""
    return place.files(r"layer_\d+\.safetensors") if place.file(*_CONFIGS) else ()


def claims_cross_layer(place: Place) -> tuple[str, ...]:
    """The encoder files of cross-layer transcoders."""
    names = place.files(r"W_enc_\d+\.safetensors")
    return tuple(name for name in names if place.file(name.replace("W_enc", "W_dec")))


def read(place: Place, name: str) -> FoundSae:
    """The transcoder of one layer."""
    file = place.folder / name
    specs = read_specs(file)
    parts = {
        "W_enc": part(file, specs, "W_enc", TRANSPOSE),
        "b_enc": part(file, specs, "b_enc"),
        "W_dec": part(file, specs, "W_dec"),
        "b_dec": part(file, specs, "b_dec"),
    }
    threshold = next((n for n in _THRESHOLDS if n in specs), None)
    if threshold:
        parts["threshold"] = part(file, specs, threshold)
    if "W_skip" in specs:
        parts["W_skip"] = part(file, specs, "W_skip")
    return _found(place, name, "mwhanna_transcoder", parts)


def read_cross_layer(place: Place, name: str) -> FoundSae:
    """One layer of a cross-layer transcoder."""
    file = place.folder / name
    decoder, layer = place.folder / name.replace("W_enc", "W_dec"), re.findall(r"\d+", name)[-1]
    specs = read_specs(file)
    parts = {
        "W_enc": part(file, specs, f"W_enc_{layer}", TRANSPOSE),
        "b_enc": part(file, specs, f"b_enc_{layer}"),
        "W_dec": part(decoder, read_specs(decoder), f"W_dec_{layer}", Step("sum", 1)),
        "b_dec": part(file, specs, f"b_dec_{layer}"),
    }
    if f"threshold_{layer}" in specs:
        parts["threshold"] = part(file, specs, f"threshold_{layer}")
    return _found(place, name, "mntss_clt_layer_transcoder", parts)


def _found(place: Place, name: str, format: str, parts: dict[str, Part]) -> FoundSae:
    kind = "jumprelu_" if "threshold" in parts else ""
    kind += "skip_" if "W_skip" in parts else ""
    d_in, d_sae = (*parts["W_enc"].shape, 0, 0)[:2]
    meta = _metadata(place, re.findall(r"\d+", name)[-1])
    weights = [part.file for part in parts.values() if part.file is not None]
    if format.startswith("mntss"):
        meta["decoder_is_summed"] = True
    return found(
        place,
        Draft(
            format=format,
            weights=tuple(dict.fromkeys(weights)),
            config=config(
                f"{kind}transcoder",
                d_in,
                d_sae,
                d_out=(*parts["W_dec"].shape, 0)[1],
                metadata=meta,
            ),
            parts=parts,
            others=(place.file("config.yaml"),),
            path=place.path_of(name),
        ),
    )


def _metadata(place: Place, layer: str) -> dict[str, Any]:
    settings = place.settings("config.yaml")
    qwen = re.search(r"qwen3-(\d+(?:\.\d+)?)b", place.origin, re.I)
    reads = settings.get("feature_input_hook") or "mlp.hook_in"
    writes = settings.get("feature_output_hook") or "hook_mlp_out"
    return {
        "model_name": settings.get("model_name") or (f"Qwen/Qwen3-{qwen[1]}B" if qwen else None),
        "hook_name": f"blocks.{layer}.{reads}",
        "hook_name_out": f"blocks.{layer}.{writes}",
        "model_from_pretrained_kwargs": {"fold_ln": False},
        "prepend_bos": True,
        "dataset_path": "monology/pile-uncopyrighted",
    }
