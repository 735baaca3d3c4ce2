"""sparsify: `cfg.json` and `sae.safetensors` in folders named by the module that is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.errors import Unsupported
from services.lm.weight_files import TensorSpec, broken, read_json
from services.sae.config import CONFIG
from services.sae.formats.arrays import read_specs
from services.sae.formats.building import TRANSPOSE, Draft, config, found, number, part
from services.sae.formats.found import FoundSae, Part
from services.sae.formats.place import Place

_WEIGHTS = "sae.safetensors"
_HOOKS = {  # the module below the layer: what an SAE reads, what a transcoder reads and writes
    "": ("hook_resid_post", None, None),
    "mlp": ("hook_mlp_out", "mlp.hook_in", "hook_mlp_out"),
    "attn": ("hook_attn_out", None, None),
    "self_attn": ("hook_attn_out", None, None),
    "attention": ("hook_attn_out", None, None),
}


def claims(place: Place) -> tuple[str, ...]:
    """The weight files of this layout."""
    return (_WEIGHTS,) if place.file(CONFIG) and place.file(_WEIGHTS) else ()


def read(place: Place, name: str) -> FoundSae:
    """The SAE or transcoder of the folder. It always subtracts b_dec unless it is a transcoder."""
    file, about = place.folder / name, place.folder / CONFIG
    raw, specs = place.json(CONFIG), read_specs(file)
    _refuse(about, raw)
    d_in = int(number(about, raw, "d_in"))
    is_stated = bool(raw.get("num_latents"))
    d_sae = int(
        number(about, raw, "num_latents")
        if is_stated
        else d_in * number(about, raw, "expansion_factor")
    )
    is_transcoder = bool(raw.get("transcode"))
    parts = _parts(file, specs, d_sae)
    architecture = "abstopk" if raw.get("signed") else "topk"
    rest: dict[str, Any] = {"k": int(number(about, raw, "k"))}
    if is_transcoder:
        architecture = "topk_skip_transcoder" if raw.get("skip_connection") else "topk_transcoder"
        rest["d_out"] = (*parts["W_dec"].shape, 0)[1]
    else:
        rest["apply_b_dec_to_input"] = True
    if raw.get("skip_connection"):
        parts["W_skip"] = part(file, specs, "W_skip")
    return found(
        place,
        Draft(
            format="sparsify",
            weights=(file,),
            config=config(
                architecture, d_in, d_sae, metadata=_metadata(place, is_transcoder), **rest
            ),
            parts=parts,
            others=(about,),
        ),
    )


def _refuse(about: Path, raw: Mapping[str, Any]) -> None:
    if raw.get("activation", "topk") != "topk":
        problem = f"has activation={str(raw['activation'])[:40]!r}"
        raise broken(about, problem, "only topk is computed here")
    if raw.get("transcode") and raw.get("signed"):
        raise broken(about, "is a signed transcoder", "this is not supported")
    if raw.get("skip_connection") and not raw.get("transcode"):
        raise broken(about, "has a skip connection but is no transcoder", "this is not supported")


def _parts(file: Path, specs: Mapping[str, TensorSpec], d_sae: int) -> dict[str, Part]:
    is_own = "W_enc" in specs
    encoder = part(
        file, specs, "W_enc" if is_own else "encoder.weight", *(() if is_own else (TRANSPOSE,))
    )
    if "decoder.weight" in specs:
        decoder = part(file, specs, "decoder.weight", TRANSPOSE)
    else:
        decoder = part(file, specs, "W_dec")
    parts = {"W_enc": encoder, "W_dec": decoder}
    widths = {"b_enc": d_sae, "b_dec": (*decoder.shape, 0)[1]}
    for ours, theirs in (("b_enc", "encoder.bias"), ("b_dec", "decoder.bias")):
        name = next((n for n in (ours, theirs) if n in specs), None)
        zeros = Part((widths[ours],), encoder.dtype)
        parts[ours] = part(file, specs, name) if name else zeros
    return parts


def _metadata(place: Place, is_transcoder: bool) -> dict[str, Any]:
    """From the folder's name, and the training run's config.json one folder up."""
    run = _run(place.above("config.json"))
    hooks = _hooks(place.origin.rstrip("/").rsplit("/", 1)[-1], is_transcoder)
    return {
        "model_name": run.get("model"),
        **hooks,
        "prepend_bos": True,
        "context_size": run.get("ctx_len"),
        "dataset_path": run.get("dataset"),
    }


def _run(file: Path | None) -> Mapping[str, Any]:
    try:
        raw = read_json(file) if file is not None else {}
    except Unsupported:
        return {}
    return {key: value for key, value in raw.items() if isinstance(value, (str, int))}


def _hooks(name: str, is_transcoder: bool) -> dict[str, str | None]:
    if name in ("embed_tokens", "wte", "embed_in"):
        return {"hook_name": None if is_transcoder else "hook_embed"}
    at = re.search(r"(?:^|\.)(?:layers|h|blocks)[._](\d+)(?:\.(\w+))?$", name)
    if at is None or (at[2] or "") not in _HOOKS:
        return {"hook_name": None}
    reads, into, out = _HOOKS[at[2] or ""]
    if not is_transcoder:
        return {"hook_name": f"blocks.{at[1]}.{reads}"}
    return {
        "hook_name": f"blocks.{at[1]}.{into}" if into else None,
        "hook_name_out": f"blocks.{at[1]}.{out}" if out else None,
    }
