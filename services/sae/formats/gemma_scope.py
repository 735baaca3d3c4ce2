"""Gemma Scope: `params.npz` in folders that say layer and width, its transcoders included.

Which model and which place of it is said by the repository's name only. SAEs of the embedding
were trained on unscaled embeddings: the model's square root of d_model is folded in, into the
bias of the decoder too.
"""

from __future__ import annotations

import re
from typing import Any

from services.sae.formats.arrays import read_specs
from services.sae.formats.building import Draft, config, found, part
from services.sae.formats.found import FoundSae
from services.sae.formats.place import Place

_REPOSITORY = re.compile(r"gemma-scope-(2b|9b|27b)-(pt|it)-(res|mlp|att|transcoders)", re.I)
_HOOKS = {
    "res": "blocks.{}.hook_resid_post",
    "mlp": "blocks.{}.hook_mlp_out",
    "att": "blocks.{}.attn.hook_z",
    "transcoders": "blocks.{}.ln2.hook_normalized",
}
_NAMES = {
    "wenc": "W_enc", "we": "W_enc", "wdec": "W_dec", "wd": "W_dec", "benc": "b_enc", "be": "b_enc",
    "bdec": "b_dec", "bd": "b_dec", "threshold": "threshold",
}  # fmt: skip


def claims(place: Place) -> tuple[str, ...]:
    """The weight files of this layout."""
    return place.files(r".*\.npz")


def read(place: Place, name: str) -> FoundSae:
    """The SAE of one file."""
    file = place.folder / name
    specs = read_specs(file)
    named = {_NAMES.get(n.lower().replace("_", "")): n for n in specs}
    parts = {
        ours: part(file, specs, named.get(ours, ours))
        for ours in ("W_enc", "b_enc", "W_dec", "b_dec")
    }
    if "threshold" in named:
        parts["threshold"] = part(file, specs, named["threshold"])
    is_transcoder = "transcoder" in place.origin.lower()
    kind = ("jumprelu" if "threshold" in parts else "standard", "_transcoder")[: 1 + is_transcoder]
    architecture = "".join(kind).removeprefix("standard_")
    shape = (*parts["W_enc"].shape, 0, 0)
    meta = _metadata(place)
    rest: dict[str, Any] = {"d_out": (*parts["W_dec"].shape, 0)[1]} if is_transcoder else {}
    if meta["hook_name"] and "hook_z" in meta["hook_name"]:
        rest["reshape_activations"] = "hook_z"
    is_embedding = meta["hook_name"] == "hook_embed"
    l0 = re.search(r"average_l0_(\d+)", place.origin)
    return found(
        place,
        Draft(
            format="gemma_scope",
            weights=(file,),
            config=config(architecture, shape[0], shape[1], metadata=meta, **rest),
            parts=parts,
            scale=shape[0] ** -0.5 if is_embedding else None,
            published={"l0": float(l0[1]) if l0 else None},
            ones=((file, "scaling_factor"),) if "scaling_factor" in specs else (),
            path=None if len(claims(place)) == 1 else place.path_of(name),
        ),
    )


def _metadata(place: Place) -> dict[str, Any]:
    repository = _REPOSITORY.search(place.origin)
    layers = re.findall(r"layer_(\d+)", place.origin)
    meta: dict[str, Any] = {
        "model_name": None, "hook_name": None, "prepend_bos": True, "context_size": 1024,
        "dataset_path": "monology/pile-uncopyrighted",
    }  # fmt: skip
    if repository is None:
        return meta
    size, tuning, kind = (text.lower() for text in repository.groups())
    meta["model_name"] = f"gemma-2-{size}" + ("-it" if tuning == "it" else "")
    if "/embedding/" in f"{place.origin}/":
        meta["hook_name"] = "hook_embed"
    elif layers:
        meta["hook_name"] = _HOOKS[kind].format(layers[-1])
    if kind == "transcoders" and layers:
        meta["hook_name_out"] = f"blocks.{layers[-1]}.hook_mlp_out"
    return meta
