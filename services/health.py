"""Whether the product can do its work now: one check per part, each with what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from services.errors import ActiscopeError, Unavailable
from services.runs.catalogue import Catalogue
from services.runs.worker import EngineWorker
from services.types import Check, Health, SaeInfo
from services.versions import library_versions

if TYPE_CHECKING:
    from services.lm.resident import Residents

_LEAST_FREE_DISK = 500 * 2**20
_LEAST_FREE_MEMORY = 300 * 2**20
_LAST_TIME = "could not be loaded the last time"


Look = Callable[[], tuple[str, dict[str, Any]]]


def check_health(
    home: Path,
    database: Look,
    catalogue: Catalogue,
    residents: Residents,
    worker: EngineWorker | None = None,
    hub: tuple[str, bool] | None = None,
) -> Health:
    """Look at every part; a failing part makes the whole `degraded`.

    `database` says what it is or raises `Unavailable`. Without a `worker` there is no queue yet.
    `hub` is its address, and whether nothing is downloaded from it.
    """
    checks = (
        _attempt("database", database),
        _attempt("model", lambda: _model(catalogue, residents)),
        *_other_models(catalogue, residents),
        *_saes(catalogue, residents),
        _device(residents),
        _memory(),
        *([] if worker is None else [_queue(worker)]),
        *([] if hub is None else [_hub(*hub)]),
        _disk(home),
    )
    status = "ok" if all(check.ok for check in checks) else "degraded"
    return Health(status, checks, library_versions())


def look_at_database(url: str) -> tuple[str, dict[str, Any]]:
    """What the database at `url` is, without making or upgrading it.

    Raises:
        Unavailable: it cannot be used; the message says what to do.
    """
    from db import schema
    from db.errors import DatabaseError

    try:
        revision = schema.peek(url)
    except DatabaseError as error:
        raise Unavailable(f"{error}; see ACTISCOPE_DATABASE_URL") from None
    details = {"revision": revision, "newest": schema.head()}
    if revision is None:
        return "empty; its tables are made at the next start", details
    if revision != schema.head():
        return (
            f"revision {revision}; the next start upgrades it to {schema.head()}, "
            "as does `actiscope db upgrade`",
            details,
        )
    return f"revision {revision}, the newest", details


def check_document(check: Check) -> dict[str, Any]:
    """A check as JSON values."""
    return {
        "name": check.name,
        "ok": check.ok,
        "message": check.message,
        "details": dict(check.details),
    }


def _attempt(name: str, look: Look) -> Check:
    try:
        message, details = look()
    except ActiscopeError as error:
        return Check(name, False, error.message, error.details)
    return Check(name, True, message, details)


def _model(catalogue: Catalogue, residents: Residents) -> tuple[str, dict[str, Any]]:
    model_id, _ = catalogue.resolve(None, (), None, None)
    loaded = residents.loaded()["models"]
    if reason := _trouble(residents, "models", model_id):
        raise Unavailable(f"{model_id}: {reason}", default=model_id, loaded=loaded)
    state = "resident" if model_id in loaded else "will be loaded by the first run"
    return f"{model_id}: {state}", {"default": model_id, "loaded": loaded}


def _other_models(catalogue: Catalogue, residents: Residents) -> list[Check]:
    """Models beside the default one, where the last attempt to load them failed."""
    failures = residents.failures()["models"]
    with suppress(ActiscopeError):  # `_model` says it
        failures.pop(catalogue.resolve(None, (), None, None)[0], None)
    return [
        Check(f"model:{model.model_id}", False, f"{_LAST_TIME}: {failures[model.model_id]}")
        for model in catalogue.models()
        if model.model_id in failures
    ]


def _saes(catalogue: Catalogue, residents: Residents) -> list[Check]:
    checks = [_sae(sae, residents) for model in catalogue.models() for sae in model.saes]
    return checks + [Check(f"folder:{name}", False, why) for name, why in catalogue.problems()]


def _sae(sae: SaeInfo, residents: Residents) -> Check:
    what = f"{sae.hook_name} of {sae.model_id}, {sae.d_sae:,} features"
    what += f", preflight: {sae.verdict.value}" if sae.verdict else ""
    reason = _trouble(residents, "saes", sae.sae_id)
    if reason is None and sae.sae_id in residents.loaded()["saes"]:
        what += ", resident"
    return Check(f"sae:{sae.sae_id}", reason is None, what if reason is None else reason)


def _trouble(residents: Residents, kind: str, id: str) -> str | None:
    """Why it could not be loaded the last time; None when it could, or nobody has tried."""
    failures = residents.failures()
    reason = failures[kind].get(id) or next(iter(failures["device"].values()), None)
    return f"{_LAST_TIME}: {reason}" if reason else None


def _device(residents: Residents) -> Check:
    state = residents.describe()
    loading = f", loading {state['loading']}" if state["loading"] else ""
    details = {
        "device": state["device"],
        "dtype": state["dtype"],
        "free_bytes": state["memory"]["free"],
        "total_bytes": state["memory"]["total"],
    }
    for reason in residents.failures()["device"].values():
        return Check("device", False, reason, details)
    return Check("device", True, f"{state['device']}, {state['dtype']}{loading}", details)


def _memory() -> Check:
    memory = psutil.virtual_memory()
    rss = psutil.Process().memory_info().rss
    return Check(
        "memory",
        memory.available > _LEAST_FREE_MEMORY,
        f"{_gib(memory.available)} of {_gib(memory.total)} free; this process uses {_gib(rss)}",
        {"available_bytes": memory.available, "total_bytes": memory.total, "process_bytes": rss},
    )


def _queue(worker: EngineWorker) -> Check:
    waiting = worker.waiting
    return Check(
        "queue",
        worker.is_alive and waiting < worker.limit,
        f"{waiting} of {worker.limit} places taken"
        if worker.is_alive
        else "the engine's thread has ended: restart the server",
        {"waiting": waiting, "limit": worker.limit},
    )


def _hub(endpoint: str, is_offline: bool) -> Check:
    """What would be downloaded from where; it is not asked, so it is never a failure."""
    offline = "offline: nothing is downloaded (ACTISCOPE_OFFLINE, HF_HUB_OFFLINE)"
    message = offline if is_offline else f"models and SAEs are downloaded from {endpoint}"
    return Check("hub", True, message, {"endpoint": endpoint, "offline": is_offline})


def _disk(home: Path) -> Check:
    there = next(path for path in (home, *home.parents) if os.path.exists(path))
    usage = shutil.disk_usage(there)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        message = f"nothing can be written to the data folder {home}: change it, or ACTISCOPE_HOME"
        return Check("disk", False, message)
    return Check(
        "disk",
        usage.free > _LEAST_FREE_DISK,
        f"{_gib(usage.free)} of {_gib(usage.total)} free in the data folder",
        {"free_bytes": usage.free, "total_bytes": usage.total},
    )


def _gib(n_bytes: int) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"
