"""The services of one process, built once from the settings; used by app, CLI and tests."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta
from functools import partial
from pathlib import Path

from services.comparison.service import Comparisons
from services.comparison.service import Parts as ComparisonParts
from services.corpus.requests import PackingQuery
from services.corpus.service import Corpora
from services.corpus.store import CorpusStore
from services.corpus.tokenised import preview
from services.database import open_database
from services.decoder.service import Decoders
from services.decoder.vectors import Vectors
from services.demo import ARTEFACTS
from services.errors import ActiscopeError, NotFound, Unavailable
from services.evidence.service import Evidence
from services.evidence.sources import Sources
from services.extraction.kind import EXTRACT
from services.extraction.parts import Parts as ExtractionParts
from services.extraction.service import Extractions
from services.extraction.store import ExtractionStore
from services.features.bases import Bases
from services.features.service import FeatureTables
from services.features.texts import FeatureTexts
from services.features.views import SavedViews
from services.health import check_health, look_at_database
from services.jobs.kinds import Kinds
from services.jobs.runner import Runner
from services.jobs.service import Jobs
from services.jobs.table_queue import TableQueue
from services.labels.service import Labels
from services.labels.statistics import Statistics
from services.labels.store import LabelStore
from services.lm.catalogue import ModelCatalogue
from services.lm.resident import Residents
from services.lm.tokenizers import Tokenizers
from services.maps.files import MapFiles
from services.maps.kept import KeptSets
from services.maps.requests import FamiliesQuery
from services.maps.service import Maps
from services.maps.service import Parts as MapParts
from services.probes.reading import TextReader
from services.probes.service import Probes
from services.probes.store import ProbeStore
from services.registry.index import Index
from services.registry.parts import Parts
from services.registry.service import Registry
from services.registry.store import RegistryStore
from services.registry.tasks import Tasks
from services.runs.catalogue import Catalogue
from services.runs.dispatch import Dispatcher
from services.runs.execution import Engine
from services.runs.service import RunService
from services.runs.store import RunStore
from services.runs.worker import EngineWorker
from services.sae.catalogue import SaeCatalogue
from services.settings import Settings
from services.stores.service import Stores
from services.types import Health, ModelInfo, PackingPreview

log = logging.getLogger(__name__)

DEMO_MODEL = "actiscope-demo"


class Container:
    """All services of one process.

    With `any_folder` models and SAEs are added from any folder of the machine: for the command
    line, whose user could read them anyway.

    Raises:
        Unavailable: the data folder cannot be made, or the database not reached or upgraded.
    """

    def __init__(self, settings: Settings, *, any_folder: bool = False) -> None:
        self.settings = settings
        _make_folder(settings.home)
        models, saes = _folders(settings)
        self._residents = _residents(settings, models, saes)
        self._database = open_database(settings.effective_database_url)
        self._store = RunStore(self._database)
        kept = RegistryStore(self._database)
        index = Index(kept, models, saes)
        self._catalogue = Catalogue(models, saes, _default_model(settings), index)
        self._tokenizers = Tokenizers()
        self._worker = EngineWorker(settings.queue_limit)
        self._engine = Engine(self._catalogue, self._residents)
        self._dispatcher = Dispatcher(self._store, self._engine, self._worker)
        self.runs = RunService(
            settings,
            self._store,
            self._catalogue,
            self._dispatcher,
            lambda sae_id, ids: self.labels.texts(sae_id, list(ids)),
        )
        self.probes = Probes(
            settings,
            ProbeStore(self._database),
            index,
            self._catalogue,
            TextReader(self._catalogue, self._residents),
            self._worker,
        )
        self.decoders = Decoders(settings.home, models, saes)
        self.job_kinds = Kinds()
        self.jobs = _jobs(settings, TableQueue(self._database), self.job_kinds, self._worker)
        self.stores = Stores(settings.effective_stores_url)
        self.feature_texts = FeatureTexts(settings.home)
        kept_corpora = CorpusStore(self._database)
        self.corpora = Corpora(settings, kept_corpora, self.jobs, any_folder=any_folder)
        self.registry = Registry(
            Parts(
                settings,
                models,
                saes,
                kept,
                index,
                self._residents,
                Tasks(self._worker),
                default_model=_default_model(settings),
                demo=ARTEFACTS,
                any_folder=any_folder,
            )
        )
        self.extractions = Extractions(
            ExtractionParts(
                rows=ExtractionStore(self._database),
                jobs=self.jobs,
                catalogue=self._catalogue,
                index=index,
                corpora=self.corpora,
                stores=self.stores,
                residents=self._residents,
                worker=self._worker,
                decoders=self.decoders,
                texts=self.feature_texts,
                report=lambda sae_id: index.known().reports.get(sae_id),
            )
        )
        self.views = SavedViews(self._database, index, settings.author)
        self.labels = Labels(
            LabelStore(self._database, index.known),
            settings.author,
            Statistics(self.extractions, self.stores, self._families),
        )
        self.features = FeatureTables(
            self._catalogue,
            self.extractions,
            self.stores,
            Bases(self.decoders, self.feature_texts),
            self.probes,
            self.labels.snapshot,
        )
        sources = Sources(self.stores, self.extractions, self._catalogue)
        self.evidence = Evidence(
            sources, self.stores, self.decoders, self.features.lines, self.feature_texts.tokens
        )
        vectors = Vectors(saes)
        self.comparisons = Comparisons(
            ComparisonParts(
                stores=self.stores,
                extractions=self.extractions,
                sources=sources,
                decoders=self.decoders,
                vectors=vectors,
                view=self.evidence.view,
                texts=lambda sae_id, ids: self.labels.texts(sae_id, list(ids)),
            )
        )
        self.maps = Maps(
            MapParts(
                vectors=vectors,
                decoders=self.decoders,
                features=self.features,
                jobs=self.jobs,
                files=MapFiles(settings.home),
                kept=KeptSets(self._database, index, settings.author),
            )
        )
        for kind in (self.corpora.kind, self.extractions.kind, self.maps.kind):
            self.job_kinds.add(kind)
        self.health = partial(
            check_health,
            settings.home,
            self._database.check,
            self._catalogue,
            self._residents,
            self._worker,
            _hub(settings),
        )

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The models that a run may name, each with its SAEs, the default one first."""
        return self._catalogue.models()

    def _families(self, sae_id: str) -> Sequence[Sequence[int]]:
        """Features of each family; none where the decoder was not looked at yet."""
        try:
            found = self.maps.families(FamiliesQuery(sae_id=sae_id))
        except NotFound:
            return ()
        return [family.features for family in found.families]

    def packing_preview(self, corpus_id: str, query: PackingQuery) -> PackingPreview:
        """The first windows of a corpus as a model would read them, and how many tokens it has.

        Raises:
            NotFound: no such corpus or model, or it was deleted.
            InvalidArgument: the options contradict each other or the model.
        """
        corpus = self.corpora.open(corpus_id)
        model_id, _ = self._catalogue.resolve(query.model_id, (), None, None)
        entry = self._catalogue.model_entry(model_id)
        return preview(corpus, self._tokenizers.get(entry), entry.info, query)

    def preload(self) -> None:
        """Load the default model and its SAEs in the engine's thread, before anybody asks, and
        then measure the demo's SAEs, once in the life of a database.

        Never raises what a run would: it is logged, and the first run says it.
        """
        try:
            model_id, sae_ids = self._catalogue.resolve(None, None, None, None)
            loading = self._worker.submit(lambda: self._engine.load(model_id, sae_ids))
        except ActiscopeError as error:
            _log_failure(error)
            return
        loading.add_done_callback(self._loaded)

    def _loaded(self, loading: Future[None]) -> None:
        if loading.cancelled():
            return
        if error := loading.exception():
            _log_failure(error)
        else:
            self.registry.measure_demo()

    def close(self) -> None:
        """Stop the threads, keep what runs have written, let go of the database."""
        self.jobs.close()  # first: what it works with goes away below
        self.registry.close()
        self._dispatcher.close()
        self._database.close()


def inspect(settings: Settings) -> Health:
    """What a server with these settings would find; nothing is made, upgraded or loaded.

    A device that is named is tried, which takes the time to import torch.
    """
    models, saes = _folders(settings)
    catalogue = Catalogue(models, saes, _default_model(settings))
    residents = _residents(settings, models, saes)
    if settings.device not in ("auto", "cpu"):
        residents.try_device()
    database = partial(look_at_database, settings.effective_database_url)
    return check_health(settings.home, database, catalogue, residents, hub=_hub(settings))


def _folders(settings: Settings) -> tuple[ModelCatalogue, SaeCatalogue]:
    roots = (ARTEFACTS, settings.home)
    return ModelCatalogue(roots), SaeCatalogue(roots)


def _residents(settings: Settings, models: ModelCatalogue, saes: SaeCatalogue) -> Residents:
    budget = int(settings.memory_budget_gb * 1e9)
    return Residents(models, saes, settings.device, settings.dtype, settings.threads, budget)


def _jobs(settings: Settings, queue: TableQueue, kinds: Kinds, worker: EngineWorker) -> Jobs:
    """Two runners: what needs the engine for hours holds up nothing else."""
    way = worker.let_through
    kept_for = timedelta(days=settings.job_retention_days)
    extracting = Runner(queue, kinds, give_way=way, takes=lambda kind: kind == EXTRACT)
    others = Runner(
        queue, kinds, give_way=way, takes=lambda kind: kind != EXTRACT, kept_for=kept_for
    )
    return Jobs(queue, kinds, extracting, others)


def _default_model(settings: Settings) -> str:
    return settings.default_model or DEMO_MODEL


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


def _log_failure(error: BaseException) -> None:
    log.warning("the default model could not be loaded ahead: %s", error)
