"""Registering a model: a folder in place, or the files of a hub repository."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from services.errors import ActiscopeError, Conflict, Unsupported
from services.lm.catalogue import ModelCatalogue, ModelEntry
from services.registry.hub_models import bring, refuse_unknown_family
from services.registry.jobs import Job
from services.registry.measuring import is_here, measure_all
from services.registry.naming import check_id, free_id, matching_model, model_id_of
from services.registry.parts import Parts
from services.registry.places import (
    Taken,
    check_open,
    put,
    readable_place,
    staging,
)
from services.registry.requests import AddModel
from services.sae.catalogue import SaeEntry
from services.sae.registration import write_registration
from services.types import Source, TaskView

if TYPE_CHECKING:
    from services.hub import RepoListing


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
            _tell_of_other_id(request, job)
        else:
            job.results.append(_add_from_hub(parts, request, model_id, job))
        parts.index.changed()
        _serve_waiting_saes(parts, job)

    return parts.tasks.start(job, work)


def _tell_of_other_id(request: AddModel, job: Job) -> None:
    (model_id,) = job.results
    if request.model_id not in (None, model_id):
        job.problems.append(
            f"the folder is registered already, as {model_id}: it keeps that id, and "
            f"{request.model_id} is not used"
        )


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
        refuse_unknown_family(model_id, entry.model_type)
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
    bring(parts, listing, model_id, job)
    return _offered_again(parts, model_id)


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
    taken = Taken((parts.demo, parts.settings.home), "models")
    if model_id in taken:
        free = free_id(model_id, taken)
        raise Conflict(
            f"there is another model {model_id} already: choose another id, for example {free}",
            id=model_id,
            free=free,
        )


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
