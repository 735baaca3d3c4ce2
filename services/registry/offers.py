"""SAEs to add: found in a folder, a hub repository or sae-lens' catalogue, and brought here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from services.errors import ActiscopeError, Unsupported
from services.registry.choosing import (
    check_single,
    check_there,
    is_below,
    unmet,
    wanted_paths,
)
from services.registry.downloading import download, turn
from services.registry.jobs import Job
from services.registry.looking import chosen, look_at
from services.registry.parts import Parts
from services.registry.places import readable_place
from services.registry.requests import AddSaes
from services.sae.registration import SourceFile
from services.types import Source

if TYPE_CHECKING:
    from services.sae.formats import FoundSae, Hints, Looked

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
    check_single(request, wanted)
    if not request.paths:
        job.problems += [f"{problem.path}: {problem.problem}" for problem in problems]
    return [Offer(sae, place, Source.LOCAL, sae.path) for sae in wanted]


def _hub_offers(parts: Parts, request: AddSaes, job: Job) -> Iterator[list[Offer]]:
    from services.sae.formats import Hints

    job.begin("listing")
    listing = parts.hub.listing(str(request.repo_id), request.revision)
    check_there(request.paths, listing)
    paths = wanted_paths([file.path for file in listing.files], request.paths)
    with turn(parts, listing, job) as folder:
        hashes = download(parts, listing, paths, job)
        looked = _looked(folder, Hints(origin=listing.repo_id), [folder / path for path in paths])
        wanted = [sae for sae in looked.found if is_below(sae.path, request.paths)]
        missed = list(unmet(request.paths, looked))
        if not wanted:
            raise Unsupported("; ".join(missed[:3]) or f"{listing.repo_id} has no SAE")
        job.problems += missed
        check_single(request, wanted)
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
        yield group


def _catalogue_offers(
    parts: Parts, release: str, catalogue_id: str, job: Job
) -> Iterator[list[Offer]]:
    from services.sae.formats import Hints, grouped

    entry = parts.directory.get(release, catalogue_id)
    job.begin("listing")
    listing = parts.hub.listing(entry.repo_id, None)
    own = grouped(listing.paths).get(entry.path)  # the decoder in a file of its own, too
    paths = own or wanted_paths(listing.paths, (entry.path,))
    with turn(parts, listing, job) as folder:
        hashes = download(parts, listing, paths, job)
        place = folder / entry.path if entry.path else folder
        origin = f"{entry.repo_id}/{entry.path}".rstrip("/")
        overrides = parts.directory.overrides(release, catalogue_id)
        hints = Hints(origin=origin, overrides=overrides)
        looked = _looked(place, hints, [folder / path for path in paths])
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
        yield [offer]


def drop(files: Iterable[Path]) -> None:
    """Remove what was downloaded and is not needed any more."""
    for path in set(files):
        path.unlink(missing_ok=True)


def _looked(place: Path, hints: Hints, downloaded: Sequence[Path]) -> Looked:
    """What is in `place`; weights that cannot be used go: they would be refused again.

    Raises:
        Unsupported: there is no SAE.
    """
    from services.sae.formats import look

    weights = [path for path in downloaded if path.suffix in (".safetensors", ".npz")]
    try:
        looked = look(place, hints)
    except Unsupported:
        drop(weights)
        raise
    used = {path for sae in looked.found for path in sae.files}
    unusable = [place / problem.path for problem in looked.problems]
    drop(p for p in weights if p not in used and any(p.is_relative_to(u) for u in unusable))
    return looked


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
