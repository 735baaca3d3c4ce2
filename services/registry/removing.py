"""Taking out of use, for now or for good, and what speaks against it.

Runs and extractions of all processes are seen, for they are stored. Tasks are not: where the
command line removes files that a server measures or loads just then, the server's task ends with
the error that they are gone, and nothing of it is kept.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from services.errors import Conflict
from services.registry.parts import Parts
from services.registry.places import remove
from services.registry.rows import unknown_model, unknown_sae
from services.runs.catalogue import Kind
from services.types import RUNS_COUNTED, EntryState, ModelCard, SaeCard

_WHAT = {"models": "model", "saes": "SAE"}


def dependents(parts: Parts, kind: Kind, id: str) -> tuple[str, ...]:
    """What would miss it, one sentence each; what is under way first."""
    known = parts.index.known()
    found = list(in_use(parts, kind, id))
    runs = (known.model_runs if kind == "models" else known.sae_runs).get(id, 0)
    if runs:
        least = "at least " if runs >= RUNS_COUNTED else ""
        found.append(f"{least}{runs} stored run{'s' if runs > 1 else ''} used it")
    active = parts.store.extractions(kind, id, active_only=True)
    kept = [e for e in parts.store.extractions(kind, id) if e not in active]
    found += [f"extraction {extraction_id} was made with it" for extraction_id in kept]
    if kind == "models":
        deleted = known.deleted("saes")
        saes = [e.info.sae_id for e in parts.saes.list(id) if e.info.sae_id not in deleted]
        found += [f"SAE {sae_id} is for it" for sae_id in saes]
    return tuple(found)


def in_use(parts: Parts, kind: Kind, id: str) -> tuple[str, ...]:
    """What works with it now: runs and extractions of every process, tasks of this one."""
    runs = (f"run {run_id} is under way" for run_id in parts.store.active(kind, id))
    tasks = (f"{title!r} is under way" for title in parts.tasks.about(kind, id))
    extractions = (
        f"extraction {extraction_id} is under way"
        for extraction_id in parts.store.extractions(kind, id, active_only=True)
    )
    return (*runs, *extractions, *tasks)


def remove_model(parts: Parts, card: ModelCard, with_files: bool) -> None:
    """Offer the model no more, or forget it with its files."""
    model_id = card.info.model_id
    if model_id == parts.default_model:
        raise Conflict(
            f"{model_id} is the default model: set ACTISCOPE_DEFAULT_MODEL to another one first",
            id=model_id,
        )
    _remove(parts, "models", card, model_id, with_files)
    with suppress(Conflict):  # whoever reads with it now ends with what it began with
        parts.residents.unload_model(model_id)


def remove_sae(parts: Parts, card: SaeCard, with_files: bool) -> None:
    """Offer the SAE no more, or forget it with its files."""
    _remove(parts, "saes", card, card.info.sae_id, with_files)
    with suppress(Conflict):
        parts.residents.unload_sae(card.info.sae_id)


def restore(parts: Parts, kind: Kind, id: str, state: EntryState) -> None:
    """Offer it again; what is not deleted stays as it is."""
    if state is EntryState.DELETED:
        parts.store.set_deleted(kind, id, None)
        parts.index.changed()


def _remove(parts: Parts, kind: Kind, card: ModelCard | SaeCard, id: str, with_files: bool) -> None:
    what = f"{_WHAT[kind]} {id}"
    reasons = dependents(parts, kind, id) if with_files else in_use(parts, kind, id)
    if reasons:
        remedy = "delete without the files to take it out of use" if with_files else "try later"
        raise Conflict(
            f"{what} cannot be deleted{' with its files' * with_files}: {'; '.join(reasons[:20])}; "
            f"{remedy}",
            id=id,
            dependents=list(reasons),
        )
    if not with_files:
        _give_row(parts, kind, card, id)
        parts.store.set_deleted(kind, id, datetime.now(UTC))
    else:
        _remove_files(parts, kind, card, id, what)
        parts.store.forget(kind, id)
    parts.index.changed()


def _remove_files(parts: Parts, kind: Kind, card: ModelCard | SaeCard, id: str, what: str) -> None:
    root = parts.settings.home / kind
    folder = root / id
    if parts.is_demo(parts.demo / kind / id) and (parts.demo / kind / id).exists():
        raise Conflict(
            f"{what} is part of Actiscope and its files stay; delete it without them", id=id
        )
    if not (folder.is_symlink() or folder.exists()):
        return  # gone already, whoever removed it
    if not folder.parent.resolve().is_relative_to(root.resolve()):
        raise Conflict(
            f"the files of {what} lie outside of the data folder: remove them by hand", id=id
        )
    remove(root, folder)


def _give_row(parts: Parts, kind: Kind, card: ModelCard | SaeCard, id: str) -> None:
    """A row for a folder that never could be used: without one there is nothing to mark."""
    known = parts.index.known()
    if id in (known.models if kind == "models" else known.saes):
        return
    if isinstance(card, ModelCard):
        parts.store.sync([unknown_model(id, card.path, card.added_at)], [])
    else:
        parts.store.sync([], [unknown_sae(id, card.path, card.added_at)])
