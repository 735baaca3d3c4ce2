"""Registering SAEs: found, downloaded, converted once, put in place, measured."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from services.errors import ActiscopeError, Conflict, Unsupported
from services.registry.jobs import Job
from services.registry.measuring import measure_all
from services.registry.naming import check_id, free_id, matching_model, sae_id_of
from services.registry.offers import Offer, drop, offers, refuse_unusable, sha256, source_file
from services.registry.parts import Parts
from services.registry.places import Taken, is_free, put, readable_place, staging
from services.registry.requests import AddSaes
from services.sae.catalogue import SaeCatalogue, SaeEntry
from services.sae.config import WEIGHTS
from services.sae.registration import Registration, write_registration
from services.types import Source, TaskView

_FULL_WIDTH = re.compile(r"hook_(resid_(pre|mid|post)|mlp_out|attn_out|embed)$")


@dataclass
class _Failed:
    """What went wrong, to be the task's error when nothing could be added."""

    first: ActiscopeError | None = None

    def note(self, job: Job, what: str, error: ActiscopeError) -> None:
        self.first = self.first or error
        job.problems.append(f"{what}: {error.message}" if what else error.message)


def add(parts: Parts, request: AddSaes) -> TaskView:
    """A task that registers the SAEs."""
    if request.sae_id:
        check_id(request.sae_id)
    if request.model_id is not None:
        parts.models.get(request.model_id)
    if request.source == Source.LOCAL:
        place = readable_place(str(request.path), parts.settings, any_folder=parts.any_folder)
        title = f"Add SAEs of {place.name}"
    elif request.source == Source.HUGGINGFACE:
        title = f"Add SAEs of {request.repo_id}"
    else:
        for catalogue_id in request.catalogue_ids or ():
            refuse_unusable(parts, str(request.release), catalogue_id)
        title = f"Add {', '.join((request.catalogue_ids or ())[:3])} of {request.release}"
    about = frozenset({("models", request.model_id)}) if request.model_id else frozenset()
    job = Job(
        kind="add_saes",
        title=title,
        key=f"saes {request.model_dump_json()}",
        about=about,
    )
    return parts.tasks.start(job, lambda job: _add(parts, request, job))


def _add(parts: Parts, request: AddSaes, job: Job) -> None:
    failed = _Failed()
    for group in offers(parts, request, job, partial(failed.note, job)):
        needed: set[Path] = set()
        for offer in group:
            try:
                job.results.append(_registered(parts, request, offer, job))
            except ActiscopeError as error:
                failed.note(job, offer.inner, error)
                needed.update(offer.found.files if _may_come_again(error) else ())
        parts.index.changed()
        downloaded = (path for offer in group if offer.repo_id for path in offer.found.files)
        drop(path for path in downloaded if path not in needed)
    if not job.results:
        raise failed.first or Unsupported("there was nothing to add")
    if request.preflight:
        measure_all(parts, job, job.results)


def _may_come_again(error: ActiscopeError) -> bool:
    """Whether another request could use the files: with another id, hook or model."""
    return not isinstance(error, Unsupported) or "model_id" in error.details


def _registered(parts: Parts, request: AddSaes, offer: Offer, job: Job) -> str:
    """The id under which it is registered now."""
    found = offer.found
    wanted = request.sae_id or sae_id_of(
        release=offer.release,
        catalogue_id=offer.catalogue_id,
        repo_id=offer.repo_id,
        place=offer.place,
        inner=offer.inner,
    )
    job.begin("verifying")
    files = tuple(source_file(offer, path) for path in found.files)
    job.begin("converting")
    with staging(parts.settings.home, "saes") as stage:
        folder = stage / "saes" / wanted
        _convert(request, offer, folder)
        entry = SaeCatalogue((stage,)).get(wanted)
        job.check()
        model_id = _model_for(parts, request, entry)
        registration = Registration(
            source=offer.source.value,
            added_at=datetime.now(UTC).isoformat(),
            model_id=model_id,
            format=found.format,
            repo_id=offer.repo_id,
            repo_revision=offer.repo_revision,
            repo_path=found.path or None if offer.repo_id else None,
            release=offer.release,
            catalogue_id=offer.catalogue_id,
            files=files,
            published={**found.published, **offer.published},
        )
        write_registration(folder, registration)
        return _placed(parts, request, entry, folder, job)


def _convert(request: AddSaes, offer: Offer, folder: Path) -> None:
    """`offers` has seen to it that the hook, where one is given, is for this SAE."""
    from services.sae.formats import convert

    model_name = request.model_id if "model_id" in offer.found.needs else None
    convert(offer.found, folder, model_name=model_name, hook_name=request.hook_name)


def _model_for(parts: Parts, request: AddSaes, entry: SaeEntry) -> str:
    """The model of this server that the SAE is for; what it was trained on where there is none."""
    info = entry.info
    if request.model_id is None:
        return matching_model(info.trained_on, parts.model_names()) or info.model_id
    width = parts.models.get(request.model_id).info.d_model
    if _FULL_WIDTH.search(info.hook_name) and width != info.d_in:
        raise Unsupported(
            f"it reads {info.d_in} numbers per token at {info.hook_name}, and {request.model_id} "
            f"has {width} there: it belongs to another model"
            + (f" ({info.trained_on})" if info.trained_on else ""),
            model_id=request.model_id,
        )
    return request.model_id


def _placed(parts: Parts, request: AddSaes, entry: SaeEntry, folder: Path, job: Job) -> str:
    """The converted SAE, moved to its place; the one that is there when it is the same."""
    sae_id = entry.info.sae_id
    roots, home = (parts.demo, parts.settings.home), parts.settings.home
    if not is_free(roots, "saes", sae_id):
        if _is_same(parts, entry, sae_id):
            return _offered_again(parts, request, sae_id)
        free = free_id(sae_id, Taken(roots, "saes"))
        if sae_id not in job.results:  # two of one request may share a name, and get numbers
            raise Conflict(
                f"there is another SAE {sae_id} already: choose another id, for example {free}",
                id=sae_id,
                free=free,
            )
        sae_id = free
    put(folder, home / "saes" / sae_id)
    return _offered_again(parts, request, sae_id)


def _is_same(parts: Parts, entry: SaeEntry, sae_id: str) -> bool:
    """Whether the SAE of that id has these weights and this configuration."""
    known = {e.info.sae_id: e for e in parts.saes.list()}.get(sae_id)
    if known is None or known.config != entry.config:
        return False
    return sha256(known.path / WEIGHTS) == sha256(entry.path / WEIGHTS)


def _offered_again(parts: Parts, request: AddSaes, sae_id: str) -> str:
    """The id, in use again when it was deleted, and for the model that was asked for."""
    entry = parts.saes.get(sae_id)
    is_for_other = request.model_id is not None and entry.info.model_id != request.model_id
    if is_for_other and entry.registration is not None:
        changed = replace(entry.registration, model_id=str(request.model_id))
        write_registration(entry.path, changed)
    parts.index.changed()
    if sae_id in parts.index.known().deleted("saes"):
        parts.store.set_deleted("saes", sae_id, None)
        parts.index.changed()
    return sae_id
