"""Searching a file or folder for SAEs of the layouts that are known."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from services.errors import Unsupported
from services.sae.formats import sae_lens
from services.sae.formats.found import FoundSae, Hints, Looked
from services.sae.formats.place import Place
from services.types import Candidate

_DEPTH = 6
_FOLDERS_MAX = 20_000
_PICKLES_MAX = 100  # of those that are listed with the way to convert them


@dataclass(frozen=True)
class Layout:
    """A way to lay out SAEs in files."""

    looks_like: str
    claims: Callable[[Place], tuple[str, ...]]
    """Names of the weight files in the folder that are laid out so, relative to it."""
    read: Callable[[Place, str], FoundSae]
    """The SAE whose weights are in the named file; `Unsupported` says what is wrong with it."""


LAYOUTS: dict[str, Layout] = {
    "sae_lens": Layout(
        "cfg.json + sae_weights.safetensors (sae-lens, before and since version 6)",
        sae_lens.claims,
        sae_lens.read,
    ),
}
ACCEPTED = {name: layout.looks_like for name, layout in LAYOUTS.items()}


def look(path: Path, hints: Hints = Hints()) -> Looked:  # noqa: B008  # frozen
    """The SAEs in a file or folder, to six folders deep; reads headers and configurations only.

    Where there is none, `Unsupported` says what was wrong, or what was found and what is accepted.
    """
    if not path.exists():
        raise Unsupported(f"there is no {path}: check the path", path=str(path))
    root = path if path.is_dir() else path.parent
    found: list[FoundSae] = []
    problems: list[Candidate] = []
    taken: set[Path] = set()
    for place in _places(root, hints, depth=_DEPTH if path.is_dir() else 0):
        for result in _in_place(place, taken):
            (found if isinstance(result, FoundSae) else problems).append(result)  # type: ignore[arg-type]
    looked = Looked(tuple(found), tuple(problems))
    if path.is_file():
        looked = _only(looked, path)
    if not looked.found:
        raise _nothing(path, looked.problems)
    return looked


def _places(root: Path, hints: Hints, depth: int) -> Iterator[Place]:
    start = hints.origin or str(root.absolute())
    for n, (name, folders, _) in enumerate(os.walk(root)):
        below = Path(name).relative_to(root)
        path = below.as_posix() if below.parts else ""
        hidden = len(below.parts) >= depth
        folders[:] = [] if hidden else sorted(f for f in folders if not f.startswith("."))
        if n >= _FOLDERS_MAX:
            return
        yield Place(Path(name), path, f"{start}/{path}" if path else start, hints)


def _in_place(place: Place, taken: set[Path]) -> Iterator[FoundSae | Candidate]:
    for layout in LAYOUTS.values():
        for name in layout.claims(place):
            if place.folder / name in taken:
                continue
            taken.add(place.folder / name)
            try:
                sae = layout.read(place, name)
                taken |= set(sae.files)
                yield sae
            except Unsupported as error:
                yield Candidate(place.path_of(name), "", 0, problem=error.message)
            except OSError as error:
                problem = f"{name} cannot be read ({error.strerror})"
                yield Candidate(place.path_of(name), "", 0, problem=problem)


def _only(looked: Looked, file: Path) -> Looked:
    """What concerns the one file."""
    found = tuple(sae for sae in looked.found if file in sae.files)
    return Looked(found, tuple(p for p in looked.problems if p.path == file.name))


def _nothing(path: Path, problems: tuple[Candidate, ...]) -> Unsupported:
    if problems:
        said = "; ".join(p.problem or "" for p in problems[:3])
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        return Unsupported(said + more, problems=[f"{p.path}: {p.problem}" for p in problems[:50]])
    names = sorted(p.name for p in path.iterdir()) if path.is_dir() else [path.name]
    there = ", ".join(names[:12]) + (", …" if len(names) > 12 else "") or "nothing"
    accepted = "; ".join(ACCEPTED.values())
    return Unsupported(
        f"no SAE in {path.name}: there is {there}. Accepted are {accepted}", found=names[:100]
    )


def wanted_files(paths: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Of the files of a repository, those that `look` would read."""
    return tuple(p for p in paths if p.endswith((".json", ".safetensors", ".npz", ".yaml")))
