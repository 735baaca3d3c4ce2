"""dictionary_learning: `config.json` with its trainer, and `ae.safetensors` (from `ae.pt`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from services.lm.weight_files import TensorSpec, broken
from services.sae.formats.arrays import read_specs
from services.sae.formats.building import TRANSPOSE, Draft, config, found, number, part
from services.sae.formats.found import FoundSae, Part, Step
from services.sae.formats.place import Place


class _Kind(NamedTuple):
    architecture: str
    subtracts: bool  # whether the decoder's bias is taken from the input


_KINDS = {
    "AutoEncoder": _Kind("standard", True),
    "AutoEncoderNew": _Kind("standard", False),
    "GatedAutoEncoder": _Kind("gated", True),
    "JumpReluAutoEncoder": _Kind("jumprelu", False),
    "AutoEncoderTopK": _Kind("topk", True),
    "BatchTopKSAE": _Kind("jumprelu", True),
    "MatryoshkaBatchTopKSAE": _Kind("jumprelu", True),
}
_NAMES = {
    "b_enc": ("b_enc", "encoder.bias"),
    "b_dec": ("b_dec", "bias", "decoder_bias", "decoder.bias"),
    "b_mag": ("b_mag", "mag_bias"),
    "b_gate": ("b_gate", "gate_bias"),
    "r_mag": ("r_mag",),
}


def claims(place: Place) -> tuple[str, ...]:
    """The weight files of this layout."""
    if not place.file("config.json"):
        return ()
    own = place.files(r"ae(?:_\d+)?\.safetensors")
    is_one = isinstance(place.peek("config.json").get("trainer"), dict)
    return own or (place.files(r".*\.safetensors") if is_one else ())


def read(place: Place, name: str) -> FoundSae:
    """The SAE of one file."""
    file, about = place.folder / name, place.folder / "config.json"
    raw = place.json("config.json")
    trainer = raw.get("trainer")
    if not isinstance(trainer, dict):
        raise broken(about, "has no trainer", "copy the config.json of the training run")
    kind = _KINDS.get(str(trainer.get("dict_class")))
    if kind is None:
        problem = f"has dict_class={str(trainer.get('dict_class'))[:60]!r}"
        raise broken(about, problem, f"known are {', '.join(_KINDS)}")
    specs = read_specs(file)
    parts = _parts(file, specs, kind.architecture)
    rest: dict[str, Any] = {"apply_b_dec_to_input": kind.subtracts}
    if kind.architecture == "topk":
        rest["k"] = int(number(about, trainer, "k"))
    d_in = int(number(about, trainer, "activation_dim"))
    d_sae = int(number(about, trainer, "dict_size"))
    return found(
        place,
        Draft(
            format="dictionary_learning",
            weights=(file,),
            config=config(
                kind.architecture, d_in, d_sae, metadata=_metadata(trainer, raw, place), **rest
            ),
            parts=parts,
            input_norm=_input_norm(trainer),
            others=(about, place.file("eval_results.json")),
            published=_published(place),
            path=None if len(claims(place)) == 1 else place.path_of(name),
        ),
    )


def _parts(file: Path, specs: Mapping[str, TensorSpec], architecture: str) -> dict[str, Part]:
    parts = {}
    for ours, module in (("W_enc", "encoder.weight"), ("W_dec", "decoder.weight")):
        is_own = ours in specs
        parts[ours] = part(
            file, specs, ours if is_own else module, *(() if is_own else (TRANSPOSE,))
        )
    for ours, names in _NAMES.items():
        name = next((n for n in names if n in specs), None)
        if name is not None:
            parts[ours] = part(file, specs, name)
    if architecture == "gated":
        parts.pop("b_enc", None)
    if architecture == "jumprelu":
        spec, d_sae = specs.get("threshold"), (*parts["W_enc"].shape, 0)[1]
        one = (Step("above", -1e-12), Step("spread", d_sae))  # it starts at -1
        steps = one if spec is None or spec.numel == 1 != d_sae else ()
        dtype = parts["b_enc"].dtype if "b_enc" in parts else ""
        parts["threshold"] = part(file, specs, "threshold", *steps, dtype=dtype if steps else "")
    return parts


def _metadata(trainer: Mapping[str, Any], raw: Mapping[str, Any], place: Place) -> dict[str, Any]:
    given = raw.get("buffer")
    buffer = given if isinstance(given, dict) else {}
    return {
        "model_name": trainer.get("lm_name"),
        "hook_name": _hook(trainer, place),
        "prepend_bos": buffer.get("add_special_tokens") is not False,
        "context_size": buffer.get("ctx_len"),
        "dataset_path": "monology/pile-uncopyrighted",
        "training_architecture": trainer.get("dict_class"),
    }


def _input_norm(trainer: Mapping[str, Any]) -> float | None:
    """What inputs were divided by in training, which is folded in already; 1 stands for nothing."""
    norm = trainer.get("norm_factor")
    if isinstance(norm, bool) or not isinstance(norm, (int, float)) or not 0 < norm < 1e30:
        return None
    return float(norm) if norm != 1 else None


def _hook(trainer: Mapping[str, Any], place: Place) -> str | None:
    layer, module = trainer.get("layer"), str(trainer.get("submodule_name") or "")
    if isinstance(layer, bool) or not isinstance(layer, int):
        return None
    if re.search(r"mlp", module):
        return f"blocks.{layer}.hook_mlp_out"
    if re.search(r"att", module):
        return f"blocks.{layer}.hook_attn_out"
    return f"blocks.{layer}.hook_resid_post"


def _published(place: Place) -> dict[str, Any]:
    figures = place.peek("eval_results.json")
    names = {"l0": "l0", "explained_variance": "frac_variance_explained"}
    return {ours: figures.get(theirs) for ours, theirs in names.items()} | {
        "loss_recovered": figures.get("frac_recovered")
    }
