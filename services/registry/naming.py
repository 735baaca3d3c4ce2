"""Names: ids made from repositories and folders, and models known under several names."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable
from pathlib import Path

from services.errors import InvalidArgument

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,99}")
_LONGEST = 100

# TransformerLens' short names that are not the end of the repository's name.
_SHORT = {
    "gpt2-small": "gpt2",
    "gpt2-xlarge": "gpt2-xl",
    "distillgpt2": "distilgpt2",
    "mistral-7b": "mistral-7b-v0.1",
    "mistral-7b-instruct": "mistral-7b-instruct-v0.1",
    "mixtral": "mixtral-8x7b-v0.1",
    "bloom-560m": "bloom-560m",
    "gpt-neo-small": "gpt-neo-125m",
    "gpt-neo-medium": "gpt-neo-1.3b",
    "gpt-neo-large": "gpt-neo-2.7b",
    "gpt-j": "gpt-j-6b",
    "neox": "gpt-neox-20b",
    "llama-2-7b-chat": "llama-2-7b-chat",
    "llama3.1-8b": "llama-3.1-8b",
    "llama3.1-8b-it": "llama-3.1-8b-instruct",
    "llama3-8b": "llama-3-8b",
    "llama3-8b-it": "llama-3-8b-instruct",
}


# What REST answers below /saes beside the SAEs, and below each of them.
_ADDRESSES, _BELOW = frozenset({"catalogue"}), "preflights"


def canonical(name: str) -> str:
    """The model's name without its owner, case, and the spellings that mean the same model."""
    short = name.strip().rstrip("/").rsplit("/", 1)[-1].lower().replace("_", "-")
    short = _SHORT.get(short, short)
    short = short.removeprefix("meta-").removesuffix("-hf")
    return _SHORT.get(short, short)


def same_model(one: str, other: str) -> bool:
    """Whether two names mean one model; False where either is empty."""
    return bool(one and other) and (one == other or canonical(one) == canonical(other))


def matching_model(trained_on: str, models: Iterable[tuple[str, Collection[str]]]) -> str | None:
    """The id among `models` (id, its further names) that `trained_on` means; exact ids first."""
    known = [(model_id, (model_id, *names)) for model_id, names in models]
    exact = [model_id for model_id, names in known if trained_on in names]
    alike = [model_id for model_id, names in known if any(same_model(trained_on, n) for n in names)]
    return next(iter(exact or alike), None)


def segment(text: str) -> str:
    """`text` as one segment of an id: what may not stand in it becomes a hyphen."""
    clean = re.sub(r"[^A-Za-z0-9._\-]+", "-", text).strip("-._")
    return clean[:_LONGEST].rstrip("-._") or "unnamed"


def model_id_of(repo_id: str | None, path: Path | None) -> str:
    """The id of a model: its repository's, or its folder's name."""
    if repo_id is not None:
        return "/".join(segment(part) for part in repo_id.split("/"))
    return segment((path or Path("model")).name)


def sae_id_of(
    *, release: str | None, catalogue_id: str | None, repo_id: str | None, place: Path, inner: str
) -> str:
    """The id of an SAE: release and id of the catalogue, repository and folder, or folder name.

    `inner` is its path below `place`, which is the folder or file that was looked at.
    """
    if release and catalogue_id:
        return _no_address(f"{segment(release)}/{segment(catalogue_id.replace('/', '--'))}")
    inside = segment(_bare(inner).replace("/", "--")) if _bare(inner) else ""
    if repo_id is not None:
        owner = segment(repo_id.rsplit("/", 1)[-1])
    else:
        owner = segment(place.stem if place.is_file() else place.name)
    return _no_address(f"{owner}/{inside}" if inside else owner)


def free_id(wanted: str, taken: Container[str]) -> str:
    """`wanted`, or with the first number behind it that makes it free."""
    if wanted not in taken:
        return wanted
    owner, slash, name = wanted.rpartition("/")
    stem = f"{owner}{slash}{name[: _LONGEST - 5]}"
    return next(f"{stem}-{n}" for n in range(2, 10_000) if f"{stem}-{n}" not in taken)


def check_id(id: str) -> str:
    """`id` when it can be one.

    Raises:
        InvalidArgument: it cannot.
    """
    parts = id.split("/")
    if len(parts) > 2 or not all(_SEGMENT.fullmatch(part) for part in parts):
        raise InvalidArgument(
            f"{id[:200]!r} cannot be an id: use letters, digits and . _ -, once with a / between"
        )
    if _is_address(id):
        raise InvalidArgument(f"{id!r} is an address of the API and cannot be an id")
    return id


def _is_address(id: str) -> bool:
    return id in _ADDRESSES or id.endswith(f"/{_BELOW}")


def _no_address(id: str) -> str:
    """A name made from a place, which nobody chose: with a number where it is an address."""
    return f"{id}-2" if _is_address(id) else id


def _bare(inner: str) -> str:
    """A path within a repository without what only says that it is a weight file."""
    path = inner.strip("/").removesuffix(".safetensors").removesuffix(".npz")
    parts = [p for p in path.split("/") if p not in ("", ".", "sae_weights", "params", "sae")]
    return "/".join(parts)
