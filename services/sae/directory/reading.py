"""The installed sae-lens' pretrained_saes.yaml as entries; sae-lens itself is not imported."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.errors import Unavailable
from services.sae.directory.names import hook_in, l0_in, layer_in, width_in
from services.sae.directory.parsing import parse
from services.types import CatalogueEntry

_FILE = "pretrained_saes.yaml"
_READABLE = frozenset(
    {
        "sae_lens", "sparsify", "gemma_2", "gemma_2_transcoder", "gemma_3", "llama_scope",
        "llama_scope_r1_distill", "mwhanna_transcoder", "mntss_clt_layer_transcoder",
    }
)  # fmt: skip  # sae-lens' names of the layouts that services.sae.formats reads
_PICKLED = {
    "connor_rob_hook_z": "a .pt file",
    "deepseek_r1": "a .pt file",
    "dictionary_learning_1": "ae.pt",
    "goodfire": "a .pt file",
    "qwen_scope": "a .pt file",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One SAE of the list: as shown, and as its publisher's extras say."""

    entry: CatalogueEntry
    norm_scaling_factor: float | None
    config_overrides: Mapping[str, Any]


def list_file() -> Path:
    """The list of the installed sae-lens."""
    spec = importlib.util.find_spec("sae_lens")
    places = spec.submodule_search_locations if spec is not None else None
    file = Path(places[0]) / _FILE if places else None
    if file is None or not file.is_file():
        raise Unavailable(
            "sae-lens' list of pretrained SAEs is not on this machine: install Actiscope again, "
            "or add the SAE from its hub repository or a folder"
        )
    return file


def read_list(file: Path) -> tuple[Listed, ...]:
    """All SAEs of the list, in its order; an entry that is not understood is left out."""
    from yaml import YAMLError

    try:
        data = parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError) as error:
        raise Unavailable(f"sae-lens' list of pretrained SAEs cannot be read: {error}") from None
    releases = data.items() if isinstance(data, dict) else ()
    return tuple(sae for name, about in releases for sae in _release(str(name), about))


def _release(release: str, about: Any) -> Iterator[Listed]:
    if not isinstance(about, dict) or not isinstance(about.get("saes"), list):
        return
    by_id = {str(sae["id"]): sae for sae in about["saes"] if isinstance(sae, dict) and "id" in sae}
    given = about.get("config_overrides")
    overrides = given if isinstance(given, dict) else {}
    for id, sae in by_id.items():
        entry = _entry(release, about, id, sae)
        yield Listed(entry, _number(sae.get("norm_scaling_factor")), overrides)


def _entry(
    release: str, about: Mapping[str, Any], id: str, sae: Mapping[str, Any]
) -> CatalogueEntry:
    repo_id, loader = str(about.get("repo_id", "")), about.get("conversion_func") or "sae_lens"
    path, neuronpedia_id = _path(loader, sae.get("path", "")), sae.get("neuronpedia")
    named = (id, path, release, repo_id, neuronpedia_id or "")
    return CatalogueEntry(
        release=release,
        sae_id=id,
        repo_id=repo_id,
        path=path,
        model=str(about.get("model", "")),
        hook=_hook(loader, hook_in(*named)),
        layer=layer_in(id, path),
        width=width_in(*named),
        l0=_number(sae.get("l0")) or l0_in(id, path),  # 0 stands for one that was not measured
        explained_variance=_number(sae.get("variance_explained")),
        neuronpedia_id=neuronpedia_id,
        loader=loader,
        problem=_problem(loader),
    )


def _hook(loader: str, hook: str) -> str:
    # What Gemma Scope calls attention output is read before the output matrix.
    return "z" if hook == "attn_out" and loader in ("gemma_2", "gemma_3") else hook


def _path(loader: str, path: Any) -> str:
    # Of cross-layer transcoders the list gives the layer's number, not the name of a file.
    is_number = loader == "mntss_clt_layer_transcoder" and re.fullmatch(r"\d+", str(path))
    return f"W_enc_{path}.safetensors" if is_number else str(path)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _problem(loader: str) -> str | None:
    if loader in _READABLE:
        return None
    if loader in _PICKLED:
        return (
            f"its weights are published as {_PICKLED[loader]}, a pickle, which is never loaded: "
            "convert it to safetensors on a machine you can spare, and add the folder"
        )
    if loader == "temporal":
        return "temporal SAEs attend over the whole text; they are not supported"
    return f"its layout, {loader!r} of sae-lens, is not known here"
