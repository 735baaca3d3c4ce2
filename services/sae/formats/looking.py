"""Searching a file or folder for SAEs of the layouts that are known."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from services.errors import Unsupported
from services.lm.weight_files import broken, opened
from services.sae.formats import (
    bare,
    dictionary_learning,
    gemma_scope,
    gemma_scope_2,
    llama_scope,
    sae_lens,
    sparsify,
    transcoders,
)
from services.sae.formats.arrays import PICKLES, how_to_convert, is_pickle
from services.sae.formats.found import FoundSae, Hints, Looked
from services.sae.formats.place import Place
from services.types import Candidate

_DEPTH = 6
_FOLDERS_MAX = 20_000


@dataclass(frozen=True)
class Layout:
    """A way to lay out SAEs in files."""

    looks_like: str
    claims: Callable[[Place], tuple[str, ...]]
    """Names of the weight files in the folder that are laid out so, relative to it."""
    read: Callable[[Place, str], FoundSae]
    """The SAE whose weights are in the named file; `Unsupported` says what is wrong with it."""
    is_whole: bool = True  # whether other files of the same folder are its accessories


LAYOUTS: dict[str, Layout] = {  # the first that claims a file has it
    "sae_lens": Layout(
        "cfg.json + sae_weights.safetensors (sae-lens, before and since version 6)",
        sae_lens.claims,
        sae_lens.read,
    ),
    "sparsify": Layout("cfg.json + sae.safetensors (sparsify)", sparsify.claims, sparsify.read),
    "llama_scope": Layout(
        "hyperparams.json + checkpoints/final.safetensors (Llama Scope)",
        llama_scope.claims,
        llama_scope.read,
    ),
    "llama_scope_r1": Layout(
        "config.json + sae_weights.safetensors (Llama Scope R1)",
        llama_scope.claims_later,
        llama_scope.read_later,
    ),
    "gemma_scope": Layout("params.npz (Gemma Scope)", gemma_scope.claims, gemma_scope.read),
    "gemma_scope_2": Layout(
        "config.json + params.safetensors (Gemma Scope 2)",
        gemma_scope_2.claims,
        gemma_scope_2.read,
        is_whole=False,
    ),
    "dictionary_learning": Layout(
        "config.json + ae.safetensors (dictionary_learning)",
        dictionary_learning.claims,
        dictionary_learning.read,
    ),
    "mwhanna_transcoder": Layout(
        "config.yaml + layer_N.safetensors (transcoders)",
        transcoders.claims,
        transcoders.read,
        is_whole=False,
    ),
    "mntss_clt_layer_transcoder": Layout(
        "W_enc_N.safetensors + W_dec_N.safetensors (cross-layer transcoders)",
        transcoders.claims_cross_layer,
        transcoders.read_cross_layer,
        is_whole=False,
    ),
    "bare": Layout("any .safetensors with W_enc and W_dec", bare.claims, bare.read, is_whole=False),
}
ACCEPTED = {name: layout.looks_like for name, layout in LAYOUTS.items()}


def look(
    path: Path,
    hints: Hints = Hints(),  # noqa: B008  # frozen
    check: Callable[[Path], None] = lambda path: None,
) -> Looked:
    """The SAEs in a file or folder, to six folders deep; reads headers and configurations only.

    `check` raises for files that may not be read, links resolved; nothing is read before. Where
    there is no SAE, `Unsupported` says what was wrong, or what was found and what is accepted.
    """
    if not path.exists():
        raise Unsupported(f"there is no {path}: check the path", path=str(path))
    if path.is_file() and (refusal := _pickled(path)):
        raise refusal
    root = path if path.is_dir() else path.parent
    found: list[FoundSae] = []
    problems: list[Candidate] = []
    taken: set[Path] = set()
    depth = _DEPTH if path.is_dir() else 0
    for place in (replace(p, check=check) for p in _places(root, hints, depth)):
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
    try:
        for layout in LAYOUTS.values():
            names = [n for n in layout.claims(place) if place.folder / n not in taken]
            for name in names:
                taken.add(place.folder / name)
                yield _read(layout, place, name, taken)
            if names and layout.is_whole:
                return
        for name in place.others():
            if refusal := _pickled(place.folder / name):
                yield Candidate(place.path_of(name), "", 0, problem=refusal.message)
    except OSError as error:
        problem = f"{place.folder.name} cannot be read ({error.strerror})"
        yield Candidate(place.path, "", 0, problem=problem)


def _read(layout: Layout, place: Place, name: str, taken: set[Path]) -> FoundSae | Candidate:
    try:
        sae = layout.read(place, name)
    except Unsupported as error:
        return Candidate(place.path_of(name), "", 0, problem=error.message)
    taken |= set(sae.files)
    return sae


def _pickled(file: Path) -> Unsupported | None:
    """The refusal of a pickle, known by its name or by its first bytes."""
    if file.suffix.lower() in PICKLES:
        return broken(file, "is a pickle", how_to_convert(file))
    if file.suffix in (".json", ".safetensors", ".npz"):
        return None  # judged where they are read
    try:
        with opened(file) as start:
            is_one = is_pickle(start.read(2))
    except (OSError, Unsupported):
        return None
    return broken(file, "is a pickle, whatever its name", how_to_convert(file)) if is_one else None


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
