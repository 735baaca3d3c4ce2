"""Gemma Scope 2 (Gemma 3): `config.json` and `params.safetensors`, for SAEs and transcoders.

Cross-layer transcoders are read one layer at a time with their decoders summed, as sae-lens
does: their features are right, what they reconstruct is not one layer's output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.lm.weight_files import broken
from services.sae.formats.arrays import read_specs
from services.sae.formats.building import TRANSPOSE, Draft, config, found, part
from services.sae.formats.found import FoundSae, Step
from services.sae.formats.place import Place

_REPOSITORY = re.compile(r"gemma-scope-2-(270m|1b|4b|12b|27b)-(pt|it)", re.I)
_KINDS = {  # kind: hook name, and the module path that config.json names
    "resid_post": ("hook_resid_post", r"layers\.\d+\.output$"),
    "attn_out": ("attn.hook_z", r"o_proj\.input$"),
    "mlp_out": ("hook_mlp_out", r"post_feedforward_layernorm\.output$"),
    "transcoder": ("hook_mlp_in", r"pre_feedforward_layernorm\.output$"),
    "clt": ("hook_mlp_in", r"$^"),
}
_MODULES = {
    "resid_post": "model.layers.{}.output",
    "attn_out": "model.layers.{}.self_attn.o_proj.input",
    "mlp_out": "model.layers.{}.post_feedforward_layernorm.output",
    "transcoder": "model.layers.{}.pre_feedforward_layernorm.output",
    "clt": "model.layers.{}.pre_feedforward_layernorm.output",
}


def claims(place: Place) -> tuple[str, ...]:
    """The weight files of this layout."""
    return tuple(
        name
        for name in place.files(r".*\.safetensors")
        if name == "params.safetensors"
        or {"w_enc", "w_dec", "threshold"} <= place.peek_specs(name).keys()
    )


def read(place: Place, name: str) -> FoundSae:
    """The SAE of one file."""
    file, origin = place.folder / name, f"{place.origin}/{name}"
    raw = place.json("config.json") if place.file("config.json") else {}
    if raw.get("architecture", "jump_relu") != "jump_relu":
        problem = f"names the architecture {str(raw['architecture'])[:40]!r}"
        raise broken(place.folder / "config.json", problem, "known is jump_relu")
    specs = read_specs(file)
    summed = (Step("sum", 1),) if "w_dec" in specs and len(specs["w_dec"].shape) == 3 else ()
    parts = {
        "W_enc": part(file, specs, "w_enc"),
        "b_enc": part(file, specs, "b_enc"),
        "W_dec": part(file, specs, "w_dec", *summed),
        "b_dec": part(file, specs, "b_dec"),
        "threshold": part(file, specs, "threshold"),
    }
    kind, meta = _metadata(raw, origin)
    architecture, rest = "jumprelu", {}
    if kind in ("transcoder", "clt"):
        architecture, rest = "jumprelu_transcoder", {"d_out": (*parts["W_dec"].shape, 0)[1]}
    if "affine_skip_connection" in specs:
        architecture = "jumprelu_skip_transcoder"
        parts["W_skip"] = part(file, specs, "affine_skip_connection", TRANSPOSE)
    d_in, d_sae = (*parts["W_enc"].shape, 0, 0)[:2]
    if summed:
        meta["decoder_is_summed"] = True
    return found(
        place,
        Draft(
            format="gemma_scope_2",
            weights=(file,),
            config=config(architecture, d_in, d_sae, metadata=meta, **rest),
            parts=parts,
            others=(place.file("config.json"),),
            published={"l0": raw.get("l0")},
            path=None if name == "params.safetensors" else place.path_of(name),
        ),
    )


def _metadata(raw: Mapping[str, Any], origin: str) -> tuple[str | None, dict[str, Any]]:
    """What it reads: from the path, as its publishers lay it out, or from config.json."""
    module = raw.get("hf_hook_point_in")
    module = module if isinstance(module, str) else None
    named = re.findall(r"/(resid_post|attn_out|mlp_out|transcoder|clt)(?:_all)?(?=/)", origin)
    by_module = (k for k, (_, p) in _KINDS.items() if module and re.search(p, module))
    kind = named[-1] if named else next(by_module, None)
    layers = re.findall(r"layer_(\d+)", origin) or re.findall(r"layers\.(\d+)", module or "")
    meta: dict[str, Any] = {
        "model_name": _model(raw, origin), "prepend_bos": True, "context_size": 1024,
        "dataset_path": "monology/pile-uncopyrighted", "hf_hook_name": module,
    }  # fmt: skip
    if kind and layers:
        meta["hook_name"] = f"blocks.{layers[-1]}.{_KINDS[kind][0]}"
        meta["hf_hook_name"] = module or _MODULES[kind].format(layers[-1])
        if kind in ("transcoder", "clt"):
            meta["hook_name_out"] = f"blocks.{layers[-1]}.hook_mlp_out"
            meta["hf_hook_name_out"] = raw.get("hf_hook_point_out") or _MODULES["mlp_out"].format(
                layers[-1]
            )
    return kind, meta


def _model(raw: Mapping[str, Any], origin: str) -> str | None:
    repository = _REPOSITORY.search(origin)
    name = raw.get("model_name")
    if not isinstance(name, str) or not name:
        if repository is None:
            return None
        name = "gemma-3-{}-{}".format(*(text.lower() for text in repository.groups()))
    name = name.replace("-v3", "-3")
    name = name.replace("-pt", "") if "270m" in name else name  # published without the suffix
    return name if name.startswith("google/") else f"google/{name}"
