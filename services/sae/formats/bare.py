"""A safetensors file that holds an encoder and a decoder, and nothing that says whose.

What the arrays are follows from their names and shapes; the model and the place of it must be
said, unless the path says them. Releases that are published as pickles are recognised by their
path once they are converted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.lm.weight_files import TensorSpec, broken
from services.sae.formats.arrays import read_specs
from services.sae.formats.building import TRANSPOSE, Draft, config, found, hook_in, layer_of, part
from services.sae.formats.found import FoundSae, Part, Step
from services.sae.formats.place import Place

_ENCODERS = ("W_enc", "w_enc", "encoder.weight", "encoder_linear.weight")
_DECODERS = ("W_dec", "w_dec", "decoder.weight", "decoder_linear.weight")
_BIASES = {
    "b_enc": ("b_enc", "encoder.bias", "encoder_linear.bias", "latent_bias"),
    "b_dec": ("b_dec", "decoder.bias", "decoder_linear.bias", "decoder_bias", "pre_bias", "bias"),
}
_THRESHOLDS = {"threshold": (), "log_threshold": (Step("exp"),)}
_META = (
    "model_name", "hook_name", "hf_hook_name", "hook_name_out", "hf_hook_name_out", "prepend_bos",
    "context_size",
)  # fmt: skip
_GATES = {"gate_bias", "b_gate", "r_mag"}
_QWEN = re.compile(r"SAE-Res-(.+?)-W\d+K-L0_(\d+)")
_KNOWN = {  # of which the input goes in as it is, without b_dec
    r"Llama-3\.3-70B-Instruct-SAE-l(\d+)": "meta-llama/Llama-3.3-70B-Instruct",
    r"Llama-3\.1-8B-Instruct-SAE-l(\d+)": "meta-llama/Llama-3.1-8B-Instruct",
    r"DeepSeek-R1-Distill-Llama-8B-SAE-l(\d+)": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
}


def claims(place: Place) -> tuple[str, ...]:
    """The files that hold an encoder and a decoder, or that cannot be read."""
    return tuple(n for n in place.files(r".*\.safetensors") if _is_one(place.peek_specs(n)))


def read(place: Place, name: str) -> FoundSae:
    """The SAE of one file."""
    file, origin = place.folder / name, f"{place.origin}/{name}"
    if place.above("hyperparams.json"):
        raise broken(file, "belongs to the hyperparams.json above it", "give the folder of both")
    specs = read_specs(file)
    if _GATES & specs.keys():
        raise broken(file, "is a gated SAE without a configuration", "add the cfg.json of sae-lens")
    parts, (d_in, d_sae) = _parts(file, specs)
    about = _about(place)
    known, meta = _known(origin)
    k = known.get("k") or place.said("k") or about.get("k") or about.get("top_k")
    architecture = "jumprelu" if "threshold" in parts else "topk" if k else "standard"
    rest: dict[str, Any] = {"k": k} if architecture == "topk" else {}
    subtracts = architecture != "jumprelu" and not known
    rest["apply_b_dec_to_input"] = bool(about.get("apply_b_dec_to_input", subtracts))
    meta |= {key: about.get(key) for key in _META if meta.get(key) is None}
    return found(
        place,
        Draft(
            format="bare",
            weights=(file,),
            config=config(architecture, d_in, d_sae, metadata=meta, **rest),
            parts=parts,
            others=(place.file("config.json"), place.file("cfg.json")),
            ones=((file, "scaling_factor"),) if "scaling_factor" in specs else (),
            path=place.path_of(name),
        ),
    )


def _about(place: Place) -> dict[str, Any]:
    """What configurations beside it say, of which nobody knows whose they are."""
    about = {**place.peek("config.json"), **place.peek("cfg.json")}
    meta = about.get("metadata")
    return {**about, **meta} if isinstance(meta, dict) else about


def _is_one(specs: Mapping[str, TensorSpec]) -> bool:
    return not specs or bool(specs.keys() & {*_ENCODERS} and specs.keys() & {*_DECODERS})


def _parts(file: Path, specs: Mapping[str, TensorSpec]) -> tuple[dict[str, Part], tuple[int, int]]:
    encoder = next((n for n in _ENCODERS if n in specs), "W_enc")
    decoder = next((n for n in _DECODERS if n in specs), "W_dec")
    biases = {ours: next((n for n in ns if n in specs), None) for ours, ns in _BIASES.items()}
    d_in, d_sae = _sizes(file, specs, encoder, decoder, biases["b_enc"])
    parts = {
        "W_enc": _turned(file, specs, encoder, (d_in, d_sae)),
        "W_dec": _turned(file, specs, decoder, (d_sae, d_in)),
    }
    for (ours, name), width in zip(biases.items(), (d_sae, d_in), strict=True):
        zeros = Part((width,), parts["W_enc"].dtype)
        parts[ours] = part(file, specs, name) if name else zeros
    for name, steps in _THRESHOLDS.items():
        if name in specs:
            spread = (Step("spread", d_sae),) if specs[name].numel == 1 else ()
            parts["threshold"] = part(file, specs, name, *steps, *spread)
    return parts, (d_in, d_sae)


def _sizes(
    file: Path, specs: Mapping[str, TensorSpec], encoder: str, decoder: str, bias: str | None
) -> tuple[int, int]:
    """d_in and d_sae: by the encoder's bias, else the larger side is the features'."""
    shape = specs[encoder].shape
    if len(shape) != 2 or sorted(shape) != sorted(specs[decoder].shape):
        problem = f"has {encoder} {list(shape)} and {decoder} {list(specs[decoder].shape)}"
        raise broken(file, problem, "they should be each other's transposed sizes")
    d_sae = specs[bias].numel if bias else max(shape)
    if d_sae not in shape:
        problem = f"has {encoder} {list(shape)} and {bias} [{d_sae}]"
        raise broken(file, problem, "the bias should have one number per feature")
    return (shape[0] if shape[1] == d_sae else shape[1]), d_sae


def _turned(file: Path, specs: Mapping[str, TensorSpec], name: str, shape: tuple[int, int]) -> Part:
    """Turned where its shape says so; a square one where its name does."""
    is_module = name.endswith(".weight")
    is_turned = specs[name].shape != shape or (shape[0] == shape[1] and is_module)
    return part(file, specs, name, *((TRANSPOSE,) if is_turned else ()))


def _known(origin: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the path of a published release says beyond the model and the hook."""
    layer = layer_of(origin)
    qwen = _QWEN.search(origin)
    if qwen is not None:
        hook = f"blocks.{layer}.hook_resid_post" if layer is not None else None
        return {"k": int(qwen[2])}, {"model_name": f"Qwen/{qwen[1]}", "hook_name": hook}
    for pattern, model in _KNOWN.items():
        at = re.search(pattern, origin)
        if at is not None:
            return {"k": None}, {
                "model_name": model,
                "hook_name": f"blocks.{at[1]}.hook_resid_post",
            }
    return {}, {"hook_name": hook_in(origin)}
