"""Registering a model: a folder in place, or the files of a hub repository."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from services.errors import ActiscopeError, Conflict, Unsupported
from services.lm.catalogue import ModelCatalogue, ModelEntry, refuse_code
from services.lm.weight_files import read_json
from services.registry.downloading import download, turn
from services.registry.jobs import Job
from services.registry.measuring import is_here, measure_all
from services.registry.naming import check_id, free_id, matching_model, model_id_of
from services.registry.parts import Parts
from services.registry.places import check_open, is_free, put, readable_place, staging
from services.registry.requests import AddModel
from services.sae.catalogue import SaeEntry
from services.sae.registration import Registration, SourceFile, write_registration
from services.types import Source, TaskView

if TYPE_CHECKING:
    from services.hub import RepoListing

_PLAIN = frozenset(
    {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "merges.txt",
        "chat_template.jinja",
        "chat_template.json",
    }
)
_INDEX, _SINGLE = "model.safetensors.index.json", "model.safetensors"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5")


def add(parts: Parts, request: AddModel) -> TaskView:
    """A task that registers the model."""
    wanted = check_id(request.model_id) if request.model_id else None
    if request.source == Source.LOCAL:
        place = readable_place(str(request.path), parts.settings, any_folder=parts.any_folder)
        wanted = wanted or model_id_of(None, place)
        title = f"Add the model in {place.name}"
    else:
        place = None
        wanted = wanted or model_id_of(request.repo_id, None)
        title = f"Add the model {request.repo_id}"
    job = Job(
        kind="add_model",
        title=title,
        key=f"model {request.model_dump_json()}",
        about=frozenset({("models", wanted)}),
    )
    model_id = wanted

    def work(job: Job) -> None:
        if place is not None:
            job.results.append(_add_local(parts, place, model_id))
        else:
            job.results.append(_add_from_hub(parts, request, model_id, job))
        parts.index.changed()
        _serve_waiting_saes(parts, job)

    return parts.tasks.start(job, work)


def _add_local(parts: Parts, place: Path, model_id: str) -> str:
    """The folder, registered where it lies: nothing is copied."""
    if not place.is_dir():
        raise Unsupported(f"{place.name} is a file: name the folder that config.json lies in")
    if (known := _known_at(parts, place)) is not None:
        return _offered_again(parts, known)
    with staging(parts.settings.home, "models") as stage:
        link = stage / "models" / model_id
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(place, target_is_directory=True)
        entry = ModelCatalogue((stage,)).get(model_id)
        if not parts.any_folder:
            check_open(place.iterdir(), parts.settings)
        return _placed(parts, entry, link)


def _known_at(parts: Parts, place: Path) -> str | None:
    """The id of the model that is registered from this very folder."""
    same = (e.info.model_id for e in parts.models.list() if e.path.resolve() == place)
    return next(same, None)


def _add_from_hub(parts: Parts, request: AddModel, model_id: str, job: Job) -> str:
    job.begin("listing")
    listing = parts.hub.listing(str(request.repo_id), request.revision)
    if _is_registered(parts, model_id, listing):
        return _offered_again(parts, model_id)
    _check_free(parts, model_id)
    wanted = _model_files([file.path for file in listing.files], listing.repo_id)
    with turn(parts, listing, job) as folder:
        # The small one first: what cannot be used is known before gigabytes are downloaded.
        download(parts, listing, ["config.json"], job)
        refuse_code(folder / "config.json", read_json(folder / "config.json"))
        hashes = download(parts, listing, wanted, job)
        job.begin("verifying")
        with staging(parts.settings.home, "models") as stage:
            target = stage / "models" / model_id
            _check_complete(folder, wanted, stage, model_id)
            target.mkdir(parents=True)
            for name in wanted:
                os.replace(folder / name, target / name)
            write_registration(target, _registration(listing, hashes, model_id))
            put(target, parts.settings.home / "models" / model_id)
    shutil.rmtree(folder, ignore_errors=True)
    return _offered_again(parts, model_id)


def _check_complete(folder: Path, wanted: Sequence[str], stage: Path, model_id: str) -> None:
    """Judge the files where they were downloaded to, so that they stay there if unusable."""
    trial = stage / "trial"
    (trial / "models" / model_id).mkdir(parents=True)
    for name in wanted:
        (trial / "models" / model_id / name).symlink_to(folder / name)
    ModelCatalogue((trial,)).get(model_id)


def _model_files(paths: Sequence[str], repo_id: str) -> list[str]:
    """Of a repository's files, those of a plain checkpoint; config.json first."""
    there = {path for path in paths if "/" not in path}
    if "config.json" not in there:
        raise Unsupported(
            f"{repo_id} has no config.json at its top: it holds no transformers model. SAEs are "
            "added on the page Add SAE, or with `actiscope sae add`",
            repo_id=repo_id,
        )
    shards = sorted(p for p in there if p.startswith("model") and p.endswith(".safetensors"))
    weights = [_SINGLE] if _SINGLE in there else [_INDEX, *shards] if _INDEX in there else []
    if not weights:
        other = [path for path in sorted(paths) if path.endswith((*_PICKLES, ".gguf"))]
        found = f"it has {', '.join(other[:5])}" if other else "it has no weights that are known"
        raise Unsupported(
            f"{repo_id} has no safetensors weights ({found}), and nothing else is loaded: take a "
            "repository that has them, or load the model once with transformers, save it with "
            "`save_pretrained(folder)` and add the folder",
            repo_id=repo_id,
        )
    plain = sorted(there & _PLAIN, key=lambda name: (name != "config.json", name))
    return [*plain, *weights]


def _registration(listing: RepoListing, hashes: Mapping[str, str], model_id: str) -> Registration:
    files = {file.path: file for file in listing.files}
    return Registration(
        source=Source.HUGGINGFACE.value,
        added_at=datetime.now(UTC).isoformat(),
        model_id=model_id,
        format="transformers",
        repo_id=listing.repo_id,
        repo_revision=listing.revision,
        files=tuple(SourceFile(p, files[p].size, digest) for p, digest in hashes.items()),
    )


def _is_registered(parts: Parts, model_id: str, listing: RepoListing) -> bool:
    """Whether the model is this very commit."""
    row = parts.index.known().models.get(model_id)
    is_there = any(e.info.model_id == model_id for e in parts.models.list())
    same = row is not None and (row.repo_id, row.repo_revision) == (
        listing.repo_id,
        listing.revision,
    )
    return is_there and same


def _placed(parts: Parts, entry: ModelEntry, staged: Path) -> str:
    """The staged link, moved to its place; the one that is there when it has the same weights."""
    model_id = entry.info.model_id
    known = {e.info.model_id: e.info.revision for e in parts.models.list()}
    if known.get(model_id) != entry.info.revision:
        _check_free(parts, model_id)
        put(staged, parts.settings.home / "models" / model_id)
    return _offered_again(parts, model_id)


def _check_free(parts: Parts, model_id: str) -> None:
    taken = _Taken(parts)
    if model_id in taken:
        free = free_id(model_id, taken)
        raise Conflict(
            f"there is another model {model_id} already: choose another id, for example {free}",
            id=model_id,
            free=free,
        )


class _Taken:
    """Ids that cannot be given to a model."""

    def __init__(self, parts: Parts) -> None:
        self._roots = (parts.demo, parts.settings.home)

    def __contains__(self, model_id: object) -> bool:
        return not is_free(self._roots, "models", str(model_id))


def _offered_again(parts: Parts, model_id: str) -> str:
    """The id, in use again when it was deleted."""
    parts.index.changed()
    if model_id in parts.index.known().deleted("models"):
        parts.store.set_deleted("models", model_id, None)
        parts.index.changed()
    return model_id


def _serve_waiting_saes(parts: Parts, job: Job) -> None:
    """SAEs that were registered before their model came are for it now, and are measured."""
    (model_id,) = job.results
    deleted = parts.index.deleted("saes")
    waiting = []
    for entry in parts.saes.list():
        info = entry.info
        if info.sae_id in deleted:
            continue
        if info.model_id == model_id:
            waiting.append(info.sae_id)
        elif _is_for(parts, entry, model_id):
            assert entry.registration is not None
            write_registration(entry.path, replace(entry.registration, model_id=model_id))
            waiting.append(info.sae_id)
    try:
        measure_all(parts, job, waiting)
    except ActiscopeError as error:  # the model is registered, whatever becomes of its SAEs
        job.problems.append(error.message)


def _is_for(parts: Parts, entry: SaeEntry, model_id: str) -> bool:
    """Whether an SAE whose model was not here means this one."""
    if entry.registration is None or is_here(parts, entry.info.model_id):
        return False
    return matching_model(entry.info.trained_on, parts.model_names()) == model_id
