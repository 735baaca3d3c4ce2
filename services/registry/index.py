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
from typing import Any

from db.registry_records import ModelRecord, SaeRecord
from services.errors import ActiscopeError
from services.lm.catalogue import ModelCatalogue, ModelEntry
from services.registry.fresh import is_stale
from services.registry.rows import model_record, sae_record
from services.registry.store import Record, RegistryStore, storable_record
from services.runs.catalogue import Kind
from services.sae.catalogue import SaeCatalogue, SaeEntry
from services.types import PreflightReport, Verdict

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
        usage = self._store.usage()
        return replace(self._read(), model_runs=usage.models, sae_runs=usage.saes)

    def _read(self) -> Known:
        """What runs need of it: not how many there are of them."""
        rows = self._store.rows()
        models = [model_record(entry) for entry in self._models.list()]
        saes = [sae_record(entry) for entry in self._saes.list()]
        new_models = [r for r in models if _differs(r, rows.models.get(r.model_id))]
        new_saes = [r for r in saes if _differs(r, rows.saes.get(r.sae_id))]
        if new_models or new_saes:
            self._store.sync(new_models, new_saes)
            rows = self._store.rows()
        known = Known(rows.models, rows.saes, self._store.latest())
        self._lately, self._read_at = known, time.monotonic()
        return known

    def lately(self) -> Known:
        """As it was at most two seconds ago; while the database is away, as it was last."""
        if time.monotonic() - self._read_at < _KEPT_S or not self._lock.acquire(blocking=False):
            return self._lately
        try:
            return self._read()
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

    def verdict(self, sae: SaeEntry, model: ModelEntry | None) -> Verdict | None:
        """Of the SAE's newest preflight with its model, while neither has changed."""
        report = self.lately().reports.get(sae.info.sae_id)
        if report is None or report.model_id != sae.info.model_id:
            return None
        return None if is_stale(report, sae, model) else report.verdict


def _differs(made: Record, kept: Record | None) -> bool:
    """Whether keeping it would change the row: values are compared as they would be stored."""
    if kept is None:
        return True
    same: dict[str, Any] = {
        "created_at": kept.created_at,
        "updated_at": kept.updated_at,
        "deleted_at": kept.deleted_at,
    }
    return storable_record(replace(made, **same)) != kept
