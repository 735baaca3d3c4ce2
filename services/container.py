"""The services of one process, built once from the settings; used by app, CLI and tests."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import Future

from services.comparison.service import Comparisons
from services.comparison.service import Parts as ComparisonParts
from services.corpus.requests import PackingQuery
from services.corpus.service import Corpora
from services.corpus.store import CorpusStore
from services.corpus.tokenised import preview
from services.decoder.service import Decoders
from services.decoder.vectors import Vectors
from services.demo import ARTEFACTS
from services.errors import ActiscopeError, NotFound
from services.evidence.service import Evidence
from services.extraction.parts import Parts as ExtractionParts
from services.extraction.service import Extractions
from services.extraction.sources import Sources
from services.extraction.store import ExtractionStore
from services.features.bases import Bases
from services.features.service import FeatureTables
from services.features.texts import FeatureTexts
from services.features.views import SavedViews
from services.foundations import Foundations, default_model
from services.jobs.kinds import Kinds
from services.labels.service import Labels
from services.labels.statistics import Statistics
from services.labels.store import LabelStore
from services.lm.tokenizers import Tokenizers
from services.maps.files import MapFiles
from services.maps.kept import KeptSets
from services.maps.requests import FamiliesQuery
from services.maps.service import Maps
from services.maps.service import Parts as MapParts
from services.probes.reading import TextReader
from services.probes.service import Probes
from services.probes.store import ProbeStore
from services.registry.parts import Parts
from services.registry.service import Registry
from services.registry.tasks import Tasks
from services.runs.dispatch import Dispatcher
from services.runs.service import RunService
from services.runs.store import RunStore
from services.settings import Settings
from services.stores.service import Stores
from services.types import Health, ModelInfo, PackingPreview
from services.types.features import FeatureFamily

log = logging.getLogger(__name__)


class Container:
    """All services of one process.

    With `any_folder` models and SAEs are added from any folder of the machine: for the command
    line, whose user could read them anyway.

    Raises:
        Unavailable: the data folder cannot be made, or the database not reached or upgraded.
    """

    def __init__(self, settings: Settings, *, any_folder: bool = False) -> None:
        self.settings = settings
        self.base = base = Foundations.lay(settings)
        run_rows = RunStore(base.database)
        self._dispatcher = Dispatcher(run_rows, base.engine, base.worker)
        self._tokenizers = Tokenizers()
        self.runs = RunService(settings, run_rows, base.catalogue, self._dispatcher, self._texts)
        self.job_kinds = Kinds()
        self.jobs = base.jobs(self.job_kinds)
        self.decoders = Decoders(settings.home, base.models, base.saes)
        self.stores = Stores(settings.effective_stores_url)
        self.feature_texts = FeatureTexts(settings.home)
        self.registry = _registry(base, any_folder)
        corpus_rows = CorpusStore(base.database)
        self.corpora = Corpora(settings, corpus_rows, self.jobs, any_folder=any_folder)
        self.extractions = self._extractions()
        self._understand()
        for kind in (self.corpora.kind, self.extractions.kind, self.maps.kind):
            self.job_kinds.add(kind)

    def _extractions(self) -> Extractions:
        base = self.base
        return Extractions(
            ExtractionParts(
                rows=ExtractionStore(base.database),
                jobs=self.jobs,
                catalogue=base.catalogue,
                index=base.index,
                corpora=self.corpora,
                stores=self.stores,
                residents=base.residents,
                worker=base.worker,
                decoders=self.decoders,
                texts=self.feature_texts,
                report=lambda sae_id: base.index.known().reports.get(sae_id),
            )
        )

    def _understand(self) -> None:
        """What stands on labels, stores and decoders together."""
        base, author = self.base, self.settings.author
        reader = TextReader(base.catalogue, base.residents)
        probe_rows = ProbeStore(base.database)
        self.probes = Probes(
            self.settings, probe_rows, base.index, base.catalogue, reader, base.worker
        )
        self.views = SavedViews(base.database, base.index, author)
        statistics = Statistics(self.extractions, self.stores, self._families)
        self.labels = Labels(LabelStore(base.database, base.index.known), author, statistics)
        sources = Sources(self.stores, self.extractions, base.catalogue)
        self.features = FeatureTables(
            sources,
            self.stores,
            Bases(self.decoders, self.feature_texts),
            self.probes,
            self.labels.snapshot,
        )
        self.evidence = Evidence(
            sources,
            self.stores,
            self.decoders,
            self.features.lines,
            self.feature_texts.tokens,
            self._family_set,
        )
        vectors = Vectors(base.saes)
        self.comparisons = self._comparisons(sources, vectors)
        self.maps = self._maps(vectors)

    def _comparisons(self, sources: Sources, vectors: Vectors) -> Comparisons:
        return Comparisons(
            ComparisonParts(
                stores=self.stores,
                extractions=self.extractions,
                sources=sources,
                decoders=self.decoders,
                vectors=vectors,
                view=self.evidence.view,
                texts=self._texts,
            )
        )

    def _maps(self, vectors: Vectors) -> Maps:
        base = self.base
        return Maps(
            MapParts(
                vectors=vectors,
                decoders=self.decoders,
                features=self.features,
                jobs=self.jobs,
                files=MapFiles(self.settings.home),
                kept=KeptSets(base.database, base.index, self.settings.author),
            )
        )

    def _texts(self, sae_id: str, ids: Iterable[int]) -> dict[int, str]:
        """The chosen labels of these features."""
        return self.labels.texts(sae_id, list(ids))

    def _families(self, sae_id: str) -> Sequence[Sequence[int]]:
        """Features of each family; none where the decoder was not looked at yet."""
        return [family.features for family in self._family_set(sae_id)]

    def _family_set(self, sae_id: str) -> Sequence[FeatureFamily]:
        """The families as they are made without being asked otherwise; as above."""
        try:
            return self.maps.families(FamiliesQuery(sae_id=sae_id)).families
        except NotFound:
            return ()

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The models that a run may name, each with its SAEs, the default one first."""
        return self.base.catalogue.models()

    def health(self) -> Health:
        """What works, what does not, and what to do about it."""
        return self.base.health()

    def packing_preview(self, corpus_id: str, query: PackingQuery) -> PackingPreview:
        """The first windows of a corpus as a model would read them, and how many tokens it has.

        Raises:
            NotFound: no such corpus or model, or it was deleted.
            InvalidArgument: the options contradict each other or the model.
        """
        corpus = self.corpora.open(corpus_id)
        model_id, _ = self.base.catalogue.resolve(query.model_id, (), None, None)
        entry = self.base.catalogue.model_entry(model_id)
        return preview(corpus, self._tokenizers.get(entry), entry.info, query)

    def preload(self) -> None:
        """Load the default model and its SAEs in the engine's thread, before anybody asks, and
        then measure the demo's SAEs, once in the life of a database.

        Never raises what a run would: it is logged, and the first run says it.
        """
        base = self.base
        try:
            model_id, sae_ids = base.catalogue.resolve(None, None, None, None)
            loading = base.worker.submit(lambda: base.engine.load(model_id, sae_ids))
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
        self.base.database.close()


def _registry(base: Foundations, any_folder: bool) -> Registry:
    return Registry(
        Parts(
            base.settings,
            base.models,
            base.saes,
            base.registry_rows,
            base.index,
            base.residents,
            Tasks(base.worker),
            default_model=default_model(base.settings),
            demo=ARTEFACTS,
            any_folder=any_folder,
        )
    )


def _log_failure(error: BaseException) -> None:
    log.warning("the default model could not be loaded ahead: %s", error)
