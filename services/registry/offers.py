"""SAEs to add: found in a folder, a hub repository or sae-lens' catalogue, and brought here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from services.errors import ActiscopeError, InvalidArgument, Unsupported
from services.registry.downloading import download, turn
from services.registry.jobs import Job
from services.registry.looking import chosen, look_at
from services.registry.parts import Parts
from services.registry.places import readable_place
from services.registry.requests import AddSaes
from services.sae.registration import SourceFile
from services.types import Source

if TYPE_CHECKING:
    from services.sae.formats import FoundSae

Note = Callable[[str, ActiscopeError], None]


@dataclass(frozen=True)
class Offer:
    """An SAE that lies on this machine, and where it came from."""

    found: FoundSae
    place: Path  # the folder or file that was looked at
    source: Source
    inner: str  # its path below `place`, as the user knows it
    repo_id: str | None = None
    repo_revision: str | None = None
    release: str | None = None
    catalogue_id: str | None = None
    published: Mapping[str, float] = field(default_factory=dict)
    hashes: Mapping[Path, str] = field(default_factory=dict)  # where they are known already


def offers(parts: Parts, request: AddSaes, job: Job, failed: Note) -> Iterator[Sequence[Offer]]:
    """The SAEs asked for, on this machine; while they are used, nobody else downloads there.

    A catalogue entry that cannot be had is told to `failed`, and the others follow.
    """
    if request.source == Source.LOCAL:
        yield _local_offers(parts, request, job)
    elif request.source == Source.HUGGINGFACE:
        yield from _hub_offers(parts, request, job)
    else:
        for catalogue_id in request.catalogue_ids or ():
            try:
                yield from _catalogue_offers(parts, str(request.release), catalogue_id, job)
            except ActiscopeError as error:
                failed(catalogue_id, error)


def _local_offers(parts: Parts, request: AddSaes, job: Job) -> list[Offer]:
    job.begin("looking")
    place = readable_place(str(request.path), parts.settings, any_folder=parts.any_folder)
    found, problems = look_at(parts, place)
    chosen(request.paths, (sae.path for sae in found), place.name)
    wanted = [sae for sae in found if not request.paths or sae.path in request.paths]
    _check_single(request, wanted)
    if not request.paths:
        job.problems += [f"{problem.path}: {problem.problem}" for problem in problems]
    return [Offer(sae, place, Source.LOCAL, sae.path) for sae in wanted]


def _hub_offers(parts: Parts, request: AddSaes, job: Job) -> Iterator[list[Offer]]:
    from services.sae.formats import Hints, look

    job.begin("listing")
    listing = parts.hub.listing(str(request.repo_id), request.revision)
    paths = _wanted([file.path for file in listing.files], request.paths)
    with turn(parts, listing, job) as folder:
        hashes = download(parts, listing, paths, job)
        looked = look(folder, Hints(origin=listing.repo_id))
        wanted = [sae for sae in looked.found if _is_below(sae.path, request.paths)]
        if not wanted:
            problems = [p for p in looked.problems if _is_below(p.path, request.paths)]
            raise Unsupported(
                "; ".join(p.problem or "" for p in problems[:3])
                or f"no SAE was found in {', '.join(request.paths)} of {listing.repo_id}"
            )
        _check_single(request, wanted)
        group = [
            Offer(
                found=sae,
                place=folder,
                source=Source.HUGGINGFACE,
                inner=sae.path,
                repo_id=listing.repo_id,
                repo_revision=listing.revision,
                hashes={folder / path: digest for path, digest in hashes.items()},
            )
            for sae in wanted
        ]
        yield from _used_up(group, job)


def _catalogue_offers(
    parts: Parts, release: str, catalogue_id: str, job: Job
) -> Iterator[list[Offer]]:
    from services.sae.formats import Hints, look

    entry = parts.directory.get(release, catalogue_id)
    job.begin("listing")
    listing = parts.hub.listing(entry.repo_id, None)
    paths = _wanted([file.path for file in listing.files], (entry.path,))
    with turn(parts, listing, job) as folder:
        hashes = download(parts, listing, paths, job)
        place = folder / entry.path if entry.path else folder
        origin = f"{entry.repo_id}/{entry.path}".rstrip("/")
        overrides = parts.directory.overrides(release, catalogue_id)
        looked = look(place, Hints(origin=origin, overrides=overrides))
        published = {"l0": entry.l0, "explained_variance": entry.explained_variance}
        offer = Offer(
            found=looked.found[0],
            place=place,
            source=Source.CATALOGUE,
            inner=catalogue_id,
            repo_id=entry.repo_id,
            repo_revision=listing.revision,
            release=release,
            catalogue_id=catalogue_id,
            published={k: v for k, v in published.items() if v is not None},
            hashes={folder / path: digest for path, digest in hashes.items()},
        )
        yield from _used_up([offer], job)


def _used_up(group: list[Offer], job: Job) -> Iterator[list[Offer]]:
    """The group; what was downloaded for it goes once all of it is registered."""
    before = len(job.results)
    yield group
    if len(job.results) - before == len(group):
        for path in {path for offer in group for path in offer.found.files}:
            path.unlink(missing_ok=True)


def _wanted(paths: Sequence[str], below: Sequence[str]) -> list[str]:
    """Files to download: those that are read, below what was chosen, and configurations above."""
    from services.sae.formats import wanted_files

    readable = wanted_files(tuple(paths))
    found = [path for path in readable if _is_below(path, below)]
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


def _is_below(path: str, chosen_paths: Sequence[str]) -> bool:
    if not chosen_paths:
        return True
    return any(path == c or c == "" or path.startswith(f"{c}/") for c in chosen_paths)


def _is_above(path: str, folders: set[str]) -> bool:
    parent = path.rsplit("/", 1)[0] if "/" in path else ""
    return any(parent == "" or f.startswith(f"{parent}/") for f in folders)


def _check_single(request: AddSaes, wanted: Sequence[FoundSae]) -> None:
    if request.sae_id and len(wanted) > 1:
        raise InvalidArgument(
            f"sae_id names a single SAE, and {len(wanted)} were found: choose one with `paths`, "
            "or leave sae_id out",
            paths=[sae.path for sae in wanted][:100],
        )


def refuse_unusable(parts: Parts, release: str, catalogue_id: str) -> None:
    problem = parts.directory.get(release, catalogue_id).problem
    if problem:
        raise Unsupported(f"{release}, {catalogue_id}: {problem}", release=release)


def source_file(offer: Offer, path: Path) -> SourceFile:
    """A file of the SAE, as it was read."""
    root = offer.place if offer.place.is_dir() else offer.place.parent
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    known = offer.hashes.get(path)
    return SourceFile(name, path.stat().st_size, known or sha256(path))


def sha256(path: Path) -> str:
    """The file's hash."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
