"""The tables beside the folders: rows kept up to date, and what only the tables know.

The folder is the truth about what exists; a row remembers when it came, that it was taken out of
use, and what was measured.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from db.registry_records import SOURCES, ModelRecord, SaeRecord
from services.errors import ActiscopeError
from services.lm.catalogue import ModelCatalogue, ModelEntry
from services.registry.fresh import is_stale
from services.runs.catalogue import Kind
from services.sae.catalogue import SaeCatalogue, SaeEntry
from services.sae.registration import Registration, read_registration
from services.text import storable
from services.types import PreflightReport, SaeInfo, Source, Verdict

if TYPE_CHECKING:
    from services.registry.store import RegistryStore

log = logging.getLogger(__name__)

_KEPT_S = 2.0  # how old what runs are told may be: another process may have changed it


@dataclass(frozen=True)
class Known:
    """What the tables say."""

    models: Mapping[str, ModelRecord] = field(default_factory=dict)
    saes: Mapping[str, SaeRecord] = field(default_factory=dict)
    reports: Mapping[str, PreflightReport] = field(default_factory=dict)  # by SAE
    model_runs: Mapping[str, int] = field(default_factory=dict)
    sae_runs: Mapping[str, int] = field(default_factory=dict)

    def deleted(self, kind: Kind) -> frozenset[str]:
        """Ids that were taken out of use."""
        rows: Mapping[str, ModelRecord | SaeRecord]
        rows = self.models if kind == "models" else self.saes
        return frozenset(id for id, row in rows.items() if row.deleted_at is not None)


class Index:
    """Reads the tables, and writes into them what the folders hold."""

    def __init__(self, store: RegistryStore, models: ModelCatalogue, saes: SaeCatalogue) -> None:
        self._store = store
        self._models = models
        self._saes = saes
        self._lock = threading.Lock()
        self._lately = Known()
        self._read_at = float("-inf")

    def known(self) -> Known:
        """All of it, as it is now.

        Raises:
            Unavailable: the database is away.
        """
        rows = self._store.rows()
        models = [model_record(entry) for entry in self._models.list()]
        saes = [sae_record(entry) for entry in self._saes.list()]
        new_models = [r for r in models if _differs(r, rows.models.get(r.model_id))]
        new_saes = [r for r in saes if _differs(r, rows.saes.get(r.sae_id))]
        if new_models or new_saes:
            self._store.sync(new_models, new_saes)
            rows = self._store.rows()
        usage = self._store.usage()
        known = Known(rows.models, rows.saes, self._store.latest(), usage.models, usage.saes)
        self._lately, self._read_at = known, time.monotonic()
        return known

    def lately(self) -> Known:
        """As it was at most two seconds ago; while the database is away, as it was last."""
        if time.monotonic() - self._read_at < _KEPT_S or not self._lock.acquire(blocking=False):
            return self._lately
        try:
            return self.known()
        except ActiscopeError as error:
            log.debug("the registry's tables cannot be read: %s", error)
            self._read_at = time.monotonic()
            return self._lately
        finally:
            self._lock.release()

    def changed(self) -> None:
        """Something was written: read it again when it is asked for."""
        self._read_at = float("-inf")

    # What runs need to know

    def deleted(self, kind: Kind) -> Collection[str]:
        """Ids that are not offered."""
        return self.lately().deleted(kind)

    def verdict(self, sae: SaeInfo, model_revision: str | None) -> Verdict | None:
        """Of the SAE's newest preflight with its model, while neither has changed."""
        report = self.lately().reports.get(sae.sae_id)
        if report is None or report.model_id != sae.model_id:
            return None
        return None if is_stale(report, sae.revision, model_revision) else report.verdict


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


def _differs(made: ModelRecord | SaeRecord, kept: ModelRecord | SaeRecord | None) -> bool:
    if kept is None:
        return True
    same = {
        "created_at": kept.created_at,
        "updated_at": kept.updated_at,
        "deleted_at": kept.deleted_at,
    }
    return replace(made, **same) != kept
