"""Rows of the tables, made from what lies in folders."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from db.registry_records import SOURCES, ModelRecord, SaeRecord
from services.errors import ActiscopeError
from services.lm.catalogue import ModelEntry
from services.sae.catalogue import SaeEntry
from services.sae.registration import Registration, read_registration
from services.text import storable
from services.types import Source

log = logging.getLogger(__name__)


def model_record(entry: ModelEntry) -> ModelRecord:
    """The row of a model's folder."""
    info, registration = entry.info, registration_of(entry.path)
    now = datetime.now(UTC)
    return ModelRecord(
        model_id=info.model_id,
        source=_source(registration),
        repo_id=registration.repo_id if registration else None,
        repo_revision=registration.repo_revision if registration else None,
        family=storable(info.family),
        n_layers=info.n_layers,
        d_model=info.d_model,
        n_ctx=info.n_ctx,
        n_vocab=info.n_vocab,
        n_params=info.n_params,
        dtype=info.dtype,
        has_chat_template=info.has_chat_template,
        local_path=str(entry.path),
        size_bytes=info.size_bytes,
        sha256=_sha256(info.revision),
        created_at=added_at(registration) or now,
        updated_at=now,
        deleted_at=None,
    )


def sae_record(entry: SaeEntry) -> SaeRecord:
    """The row of an SAE's folder."""
    info, registration = entry.info, entry.registration
    now = datetime.now(UTC)
    return SaeRecord(
        sae_id=info.sae_id,
        source=_source(registration),
        model_id=storable(info.model_id),
        trained_on=storable(info.trained_on),
        hook_name=storable(info.hook_name),
        layer=info.layer,
        d_in=info.d_in,
        d_sae=info.d_sae,
        architecture=info.architecture,
        format=registration.format if registration else "sae_lens",
        repo_id=registration.repo_id if registration else None,
        repo_revision=registration.repo_revision if registration else None,
        repo_path=registration.repo_path if registration else None,
        release=registration.release if registration else None,
        catalogue_id=registration.catalogue_id if registration else None,
        neuronpedia_id=storable(info.neuronpedia_id) if info.neuronpedia_id else None,
        local_path=str(entry.path),
        size_bytes=size_of(entry.path),
        sha256=_sha256(info.revision),
        published=dict(registration.published) if registration else {},
        created_at=added_at(registration) or now,
        updated_at=now,
        deleted_at=None,
    )


def registration_of(folder: Path) -> Registration | None:
    """How the model in `folder` came here; None for one that is used where it lies."""
    if folder.is_symlink():
        return None  # what lies there is the user's, and says nothing about this server
    try:
        return read_registration(folder)
    except ActiscopeError as error:
        log.warning("cannot read how %s was registered: %s", folder.name, error)
        return None


def added_at(registration: Registration | None) -> datetime | None:
    """When it was registered; None where that is not known."""
    try:
        moment = datetime.fromisoformat(registration.added_at) if registration else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def size_of(folder: Path) -> int:
    """Bytes of the files in `folder`."""
    try:
        return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    except OSError:
        return 0


def _source(registration: Registration | None) -> str:
    known = registration is not None and registration.source in SOURCES
    return registration.source if registration and known else Source.LOCAL.value


def _sha256(revision: str) -> str | None:
    return revision if len(revision) == 64 else None


def unknown_model(model_id: str, path: str, at: datetime) -> ModelRecord:
    """The row of a folder that cannot be used as a model."""
    return ModelRecord(
        model_id=model_id,
        source=Source.LOCAL.value,
        family="",
        n_layers=0,
        d_model=0,
        n_ctx=0,
        n_vocab=0,
        dtype="",
        has_chat_template=False,
        local_path=path,
        size_bytes=0,
        created_at=at,
        updated_at=at,
    )


def unknown_sae(sae_id: str, path: str, at: datetime) -> SaeRecord:
    """The row of a folder that cannot be used as an SAE."""
    return SaeRecord(
        sae_id=sae_id,
        source=Source.LOCAL.value,
        model_id="",
        trained_on="",
        hook_name="",
        layer=0,
        d_in=0,
        d_sae=0,
        architecture="",
        format="",
        local_path=path,
        size_bytes=0,
        created_at=at,
        updated_at=at,
    )
