"""Which of the SAEs that a place has are meant: chosen paths against what is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from services.errors import InvalidArgument, Unsupported
from services.registry.requests import AddSaes

if TYPE_CHECKING:
    from services.hub import RepoListing
    from services.sae.formats import FoundSae, Looked


def check_there(paths: Sequence[str], listing: RepoListing) -> None:
    """Refuse paths of which the repository has nothing.

    Raises:
        InvalidArgument: the message says which.
    """
    for path in paths:
        if not any(is_below(file.path, [path]) for file in listing.files):
            raise InvalidArgument(f"paths: there is no {path!r} in {listing.repo_id}")


def unmet(paths: Sequence[str], looked: Looked) -> Iterator[str]:
    """Of what was asked for, what cannot be added, and why."""
    told = [problem for problem in looked.problems if is_below(problem.path, paths)]
    yield from (f"{problem.path}: {problem.problem}" for problem in told)
    known = [*(sae.path for sae in looked.found), *(problem.path for problem in told)]
    for path in paths:
        if not any(is_below(there, [path]) for there in known):
            yield f"{path}: no SAE was found there"


def wanted_paths(paths: Sequence[str], below: Sequence[str]) -> list[str]:
    """Files to download: those that are read, below what was chosen, and configurations above."""
    from services.sae.formats import wanted_files

    readable = wanted_files(tuple(paths))
    found = [path for path in readable if is_below(path, below)]
    if not found:
        where = f" in {', '.join(below[:5])}" if below else ""
        raise Unsupported(
            f"the repository has no SAE files{where}: neither .safetensors nor .npz. Pickle files "
            "are never loaded; convert them to safetensors, and add the folder"
        )
    folders = {path.rsplit("/", 1)[0] if "/" in path else "" for path in found}
    return found + [
        path
        for path in readable
        if path not in found and path.endswith((".json", ".yaml")) and _is_above(path, folders)
    ]


def is_below(path: str, chosen_paths: Sequence[str]) -> bool:
    if not chosen_paths:
        return True
    return any(path == c or c == "" or path.startswith(f"{c}/") for c in chosen_paths)


def _is_above(path: str, folders: set[str]) -> bool:
    parent = path.rsplit("/", 1)[0] if "/" in path else ""
    return any(parent == "" or f.startswith(f"{parent}/") for f in folders)


def check_single(request: AddSaes, wanted: Sequence[FoundSae]) -> None:
    """Refuse what is meant for one SAE where there are several."""
    if len(wanted) < 2:
        return
    if request.sae_id:
        raise InvalidArgument(
            f"sae_id names a single SAE, and {len(wanted)} were found: choose one with `paths`, "
            "or leave sae_id out",
            paths=[sae.path for sae in wanted][:100],
        )
    said = next((sae for sae in wanted if "hook_name" not in sae.needs), None)
    if request.hook_name and said is not None:
        raise InvalidArgument(
            f"hook_name is for all that are added, and of the {len(wanted)} that were found "
            f"{said.path} says itself that it reads {said.candidate().hook_name}: choose one with "
            "`paths`, or leave hook_name out",
            paths=[sae.path for sae in wanted][:100],
        )
