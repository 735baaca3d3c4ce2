"""What could be added from a place, without adding anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from services.errors import InvalidArgument, Unsupported
from services.registry.parts import Parts
from services.registry.places import check_open, readable_place
from services.registry.requests import LookRequest
from services.types import Candidate, Source

if TYPE_CHECKING:
    from services.hub import RepoFile
    from services.sae.formats import FoundSae

_WEIGHTS = (".safetensors", ".npz")
_PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt", ".th")
# What a folder's file names say before anything is downloaded; the content decides later.
_BY_NAMES = (
    ({"cfg.json", "sae_weights.safetensors"}, "sae_lens"),
    ({"params.npz"}, "gemma_scope"),
    ({"hyperparams.json"}, "llama_scope"),
    ({"cfg.json", "sae.safetensors"}, "sparsify"),
    ({"config.json", "ae.safetensors"}, "dictionary_learning"),
)


def look(parts: Parts, request: LookRequest) -> tuple[Candidate, ...]:
    """The SAEs of a folder or repository, and what cannot be added, with reasons."""
    if request.source == Source.HUGGINGFACE:
        listing = parts.hub.listing(str(request.repo_id), request.revision)
        return listed(listing.files, listing.repo_id)
    place = readable_place(str(request.path), parts.settings, any_folder=parts.any_folder)
    found, problems = look_at(parts, place)
    return (*(sae.candidate() for sae in found), *problems)


def look_at(parts: Parts, place: Path) -> tuple[tuple[FoundSae, ...], tuple[Candidate, ...]]:
    """The SAEs in a local folder or file, all of whose files may be read."""
    from services.sae.formats import Hints, look

    def check(file: Path) -> None:
        if not parts.any_folder:
            check_open([file], parts.settings)

    looked = look(place, Hints(origin=str(place)), check)
    return looked.found, looked.problems


def listed(files: Iterable[RepoFile], repo_id: str) -> tuple[Candidate, ...]:
    """The candidates of a repository, by folder, judged by the names of its files."""
    folders: dict[str, list[RepoFile]] = defaultdict(list)
    for file in files:
        parent = PurePosixPath(file.path).parent.as_posix()
        folders["" if parent == "." else parent].append(file)
    found = [_candidate(folder, folders[folder]) for folder in sorted(folders)]
    candidates = tuple(candidate for candidate in found if candidate is not None)
    if not candidates:
        raise Unsupported(
            f"{repo_id} has no SAE weights: neither .safetensors nor .npz files", repo_id=repo_id
        )
    return candidates


def _candidate(folder: str, files: Sequence[RepoFile]) -> Candidate | None:
    weights = [file for file in files if file.path.endswith(_WEIGHTS)]
    if weights:
        names = {PurePosixPath(file.path).name for file in files}
        kind = next((name for marks, name in _BY_NAMES if marks <= names), "safetensors")
        return Candidate(path=folder, format=kind, size_bytes=sum(f.size for f in weights))
    pickles = sorted(PurePosixPath(f.path).name for f in files if f.path.endswith(_PICKLES))
    if not pickles:
        return None
    problem = (
        f"only {', '.join(pickles[:3])}: pickle files can run code and are never loaded; convert "
        "them to safetensors where you trust them, and add the folder"
    )
    return Candidate(path=folder, format="", size_bytes=0, problem=problem)


def chosen(paths: Sequence[str], known: Iterable[str], where: str) -> None:
    """Refuse paths that nothing was found at.

    Raises:
        InvalidArgument: the message says which, and what there is.
    """
    there = sorted(set(known))
    missing = [path for path in paths if path not in there]
    if missing:
        offer = ", ".join(repr(path) for path in there[:20])
        raise InvalidArgument(f"paths: no SAE at {missing[0]!r} of {where}; there is {offer}")
