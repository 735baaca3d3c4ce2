"""What all services of a process stand on: folders, database, what is in memory, the engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from services.database import Database, open_database
from services.demo import ARTEFACTS
from services.errors import Unavailable
from services.extraction.kind import EXTRACT
from services.health import check_health, look_at_database
from services.jobs.runner import Runner
from services.jobs.service import Jobs
from services.jobs.table_queue import TableQueue
from services.lm.catalogue import ModelCatalogue
from services.lm.resident import Residents
from services.registry.index import Index
from services.registry.store import RegistryStore
from services.runs.catalogue import Catalogue
from services.runs.execution import Engine
from services.runs.worker import EngineWorker
from services.sae.catalogue import SaeCatalogue

if TYPE_CHECKING:
    from services.jobs.kinds import Kinds
    from services.settings import Settings
    from services.types import Health

DEMO_MODEL = "actiscope-demo"


@dataclass(frozen=True)
class Foundations:
    """One of each, shared by the services."""

    settings: Settings
    models: ModelCatalogue  # the folders of models
    saes: SaeCatalogue
    database: Database
    registry_rows: RegistryStore
    index: Index  # what folders and tables say together
    catalogue: Catalogue  # what a run may name
    residents: Residents
    worker: EngineWorker
    engine: Engine

    @classmethod
    def lay(cls, settings: Settings) -> Foundations:
        """Make the data folder, open the database, start the engine's thread.

        Raises:
            Unavailable: the data folder cannot be made, or the database not reached or upgraded.
        """
        _make_folder(settings.home)
        models, saes = _folders(settings)
        database = open_database(settings.effective_database_url)
        rows = RegistryStore(database)
        index = Index(rows, models, saes)
        catalogue = Catalogue(models, saes, default_model(settings), index)
        residents = _residents(settings, models, saes)
        return cls(
            settings=settings,
            models=models,
            saes=saes,
            database=database,
            registry_rows=rows,
            index=index,
            catalogue=catalogue,
            residents=residents,
            worker=EngineWorker(settings.queue_limit),
            engine=Engine(catalogue, residents),
        )

    def jobs(self, kinds: Kinds) -> Jobs:
        """Two runners: what needs the engine for hours holds up nothing else."""
        queue, way = TableQueue(self.database), self.worker.let_through
        kept_for = timedelta(days=self.settings.job_retention_days)
        extracting = Runner(queue, kinds, give_way=way, takes=lambda kind: kind == EXTRACT)
        others = Runner(
            queue, kinds, give_way=way, takes=lambda kind: kind != EXTRACT, kept_for=kept_for
        )
        return Jobs(queue, kinds, extracting, others)

    def health(self) -> Health:
        """What works, what does not, and what to do about it."""
        check = self.database.check
        home, hub = self.settings.home, _hub(self.settings)
        return check_health(home, check, self.catalogue, self.residents, self.worker, hub)


def inspect(settings: Settings) -> Health:
    """What a server with these settings would find; nothing is made, upgraded or loaded.

    A device that is named is tried, which takes the time to import torch.
    """
    models, saes = _folders(settings)
    catalogue = Catalogue(models, saes, default_model(settings))
    residents = _residents(settings, models, saes)
    if settings.device not in ("auto", "cpu"):
        residents.try_device()
    database = partial(look_at_database, settings.effective_database_url)
    return check_health(settings.home, database, catalogue, residents, hub=_hub(settings))


def default_model(settings: Settings) -> str:
    """The model that is taken when a request names none."""
    return settings.default_model or DEMO_MODEL


def _folders(settings: Settings) -> tuple[ModelCatalogue, SaeCatalogue]:
    roots = (ARTEFACTS, settings.home)
    return ModelCatalogue(roots), SaeCatalogue(roots)


def _residents(settings: Settings, models: ModelCatalogue, saes: SaeCatalogue) -> Residents:
    budget = int(settings.memory_budget_gb * 1e9)
    return Residents(models, saes, settings.device, settings.dtype, settings.threads, budget)


def _hub(settings: Settings) -> tuple[str, bool]:
    return settings.hub_endpoint, settings.offline


def _make_folder(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"the data folder {home} cannot be made ({error.strerror}): change it, or "
            "ACTISCOPE_HOME"
        ) from None
