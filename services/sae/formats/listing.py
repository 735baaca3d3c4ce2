"""What of a repository's list of files belongs to SAEs, by their names alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

_CONFIGS = (
    "cfg.json", "config.json", "hyperparams.json", "activation_scaler.json", "eval_results.json",
    "config.yaml", "wandb-config.yaml", "wanb-config.yaml",
)  # fmt: skip
_ONLY = ("sae_weights.safetensors", "params.safetensors", "sae.safetensors")
_OTHERS = re.compile(r"sparsity\.safetensors|(model|adapter_model)-\d+-of-\d+\.safetensors")
# weight file: the configurations that lie beside it, and whether it is its folder's only SAE
_BESIDE: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    (
        r"sae_weights\.safetensors",
        ("cfg.json", "config.json", "activation_scaler.json"),
        True,
    ),
    (r"sae\.safetensors", ("cfg.json", "../config.json"), True),
    (r"params\.(npz|safetensors)", ("config.json",), True),
    (r"ae\.safetensors", ("config.json", "eval_results.json"), True),
    (r"layer_\d+\.safetensors", ("config.yaml", "wandb-config.yaml", "wanb-config.yaml"), False),
    (r"W_enc_\d+\.safetensors", ("config.yaml",), False),
    (r".*\.(npz|safetensors)", ("config.json", "cfg.json"), False),
)


def wanted_files(paths: Sequence[str]) -> tuple[str, ...]:
    """Of a repository's files, those that `look` would read: no pickles, no text."""
    own = {str(PurePosixPath(p).parent) for p in paths if PurePosixPath(p).name in _ONLY}
    return tuple(path for path in paths if _is_wanted(path, own))


def grouped(paths: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The SAEs that a repository seems to hold: the path that `look` will give: its files.

    By names only; what is in the files decides once they are there.
    """
    there = set(wanted_files(paths))
    groups: dict[str, tuple[str, ...]] = {}
    for path in sorted(there):
        if path.endswith((".npz", ".safetensors")) and not _is_half(path, there):
            name, files = _group(path, there)
            groups[name] = tuple(dict.fromkeys((*groups.get(name, ()), *files)))
    return groups


def _is_wanted(path: str, own: set[str]) -> bool:
    at = PurePosixPath(path)
    if str(at.parent) in own and at.suffix == ".safetensors" and at.name not in _ONLY:
        return False  # examples, sparsities and other company of an SAE
    if any(part.startswith(".") for part in at.parts) or _OTHERS.fullmatch(at.name):
        return False
    return at.name in _CONFIGS or at.suffix in (".npz", ".safetensors")


def _is_half(path: str, there: set[str]) -> bool:
    """Whether it is the decoder that is listed with its encoder."""
    at = PurePosixPath(path)
    encoder = at.with_name(at.name.replace("W_dec_", "W_enc_", 1))
    return at.name.startswith("W_dec_") and str(encoder) in there


def _group(path: str, there: set[str]) -> tuple[str, tuple[str, ...]]:
    at = PurePosixPath(path)
    has: Callable[[PurePosixPath], bool] = lambda p: str(p) in there  # noqa: E731
    run = at.parent.parent if at.parent.name == "checkpoints" else at.parent
    if at.name == "final.safetensors" and has(run / "hyperparams.json"):
        return _folder(run), (path, str(run / "hyperparams.json"))
    beside, is_only = next((b, o) for p, b, o in _BESIDE if re.fullmatch(p, at.name))
    near = [at.parent.parent / b[3:] if b.startswith("../") else at.parent / b for b in beside]
    files = [path, *(str(p) for p in near if has(p))]
    if at.name.startswith("W_enc_"):
        decoder = at.with_name(at.name.replace("W_enc_", "W_dec_", 1))
        files += [str(decoder)] if has(decoder) else []
    return _folder(at.parent) if is_only else path, tuple(files)


def _folder(path: PurePosixPath) -> str:
    return "" if str(path) == "." else str(path)
