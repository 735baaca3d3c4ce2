"""The services of one process, built once from the settings; used by app, CLI and tests."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from services.demo import ARTEFACTS
from services.errors import ActiscopeError, Unavailable
from services.health import check_health, look_at_database
from services.lm.catalogue import ModelCatalogue
from services.lm.resident import Residents
from services.runs.catalogue import Catalogue
from services.runs.dispatch import Dispatcher
from services.runs.execution import Engine
from services.runs.service import RunService
from services.runs.store import RunStore, open_store
from services.runs.worker import EngineWorker
from services.sae.catalogue import SaeCatalogue
from services.settings import Settings
from services.types import Health, ModelInfo

log = logging.getLogger(__name__)

DEMO_MODEL = "actiscope-demo"


class Container:
    """All services of one process.

    Raises:
        Unavailable: the data folder cannot be made, or the database not reached or upgraded.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        _make_folder(settings.home)
        self._catalogue, self._residents = _models(settings)
        self._store: RunStore = open_store(settings.effective_database_url)
        self._worker = EngineWorker(settings.queue_limit)
        self._engine = Engine(self._catalogue, self._residents)
        self._dispatcher = Dispatcher(self._store, self._engine, self._worker)
        self.runs = RunService(settings, self._store, self._catalogue, self._dispatcher)
        self.health = partial(
            check_health,
            settings.home,
            self._store.check,
            self._catalogue,
            self._residents,
            self._worker,
        )

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The models that a run may name, each with its SAEs, the default one first."""
        return self._catalogue.models()

    def preload(self) -> None:
        """Load the default model and its SAEs in the engine's thread, before anybody asks.

        Never raises what a run would: it is logged, and the first run says it.
        """
        try:
            model_id, sae_ids = self._catalogue.resolve(None, None, None, None)
            loading = self._worker.submit(lambda: self._engine.load(model_id, sae_ids))
        except ActiscopeError as error:
            _log_failure(error)
            return
        loading.add_done_callback(_log_loaded)

    def close(self) -> None:
        """Stop the threads, keep what runs have written, let go of the database."""
        self._dispatcher.close()
        self._store.close()


def inspect(settings: Settings) -> Health:
    """What a server with these settings would find; nothing is made, upgraded or loaded.

    A device that is named is tried, which takes the time to import torch.
    """
    catalogue, residents = _models(settings)
    if settings.device not in ("auto", "cpu"):
        residents.try_device()
    database = partial(look_at_database, settings.effective_database_url)
    return check_health(settings.home, database, catalogue, residents)


def _models(settings: Settings) -> tuple[Catalogue, Residents]:
    roots = (ARTEFACTS, settings.home)
    models, saes = ModelCatalogue(roots), SaeCatalogue(roots)
    return (
        Catalogue(models, saes, settings.default_model or DEMO_MODEL),
        Residents(models, saes, settings.device, settings.dtype, settings.threads),
    )


def _make_folder(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"the data folder {home} cannot be made ({error.strerror}): change it, or "
            "ACTISCOPE_HOME"
        ) from None


def _log_loaded(loading: Future[None]) -> None:
    if not loading.cancelled() and (error := loading.exception()):
        _log_failure(error)


def _log_failure(error: BaseException) -> None:
    log.warning("the default model could not be loaded ahead: %s", error)
