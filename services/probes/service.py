"""Tests of features on somebody's own text, as pages and REST use them, and the texts kept as
probes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from db.probe_records import ProbeRecord
from db.records import utc_now
from services.errors import (
    ActiscopeError,
    Busy,
    ResourceExhausted,
    TooLarge,
    Unavailable,
)
from services.jobs.ids import new_id
from services.probes import export
from services.probes.engine import ask
from services.probes.reading import TextReader
from services.probes.requests import AddProbe, ProbeQuery, TestText
from services.probes.scoring import report
from services.probes.store import ProbeStore
from services.registry.fresh import model_files, sae_files
from services.registry.index import Index
from services.runs.catalogue import Catalogue
from services.runs.worker import EngineWorker
from services.sae.feature_ids import require_feature
from services.settings import Settings
from services.types import Download
from services.types.features import TestedText
from services.types.probes import FiringFeatures, Probe, ProbeReport

_KEPT = 32  # texts whose firing features are remembered


class Probes:
    """Test a feature on a text, find what fires there, keep texts as probes."""

    def __init__(
        self,
        settings: Settings,
        store: ProbeStore,
        index: Index,
        catalogue: Catalogue,
        reader: TextReader,
        worker: EngineWorker,
    ) -> None:
        self._settings = settings
        self._store = store
        self._index = index
        self._catalogue = catalogue
        self._reader = reader
        self._worker = worker
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, str], FiringFeatures] = OrderedDict()

    def test(self, request: TestText) -> TestedText:
        """The feature's exact value at every token of the text; waits for the engine.

        Raises:
            NotFound: there is no such SAE, feature, or model for it.
            TooLarge, InvalidArgument: the text is longer than this server or the model reads.
            Unsupported: the SAE does not fit the model.
            Busy: the engine has no time for it.
        """
        self._check_feature(request.sae_id, request.feature_id)
        self._check_length(request.text)
        given = (request.sae_id, request.feature_id, request.text, request.read_as)
        return ask(self._worker, partial(self._reader.test, *given))

    def fires(self, sae_id: str, text: str) -> FiringFeatures:
        """The features that fire at a token of the text that is not special, read as a document.

        The last few answers are remembered while the weights stay the same. Raises as `test`.
        """
        self._check_length(text)
        key = (sae_id, self._weights(sae_id), text)
        with self._lock:
            if (known := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return known
        found = ask(self._worker, partial(self._reader.fires, sae_id, text))
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    # Probes

    def report(self, query: ProbeQuery) -> ProbeReport:
        """The probes of a feature, and how well it tells them apart.

        Raises:
            NotFound: there is no such SAE or feature.
        """
        self._check_feature(query.sae_id, query.feature_id)
        records = self._store.of_feature(query.sae_id, query.feature_id)
        probes = self._judged(query.sae_id, records)
        return report(query.sae_id, query.feature_id, probes, query.threshold)

    def add(self, request: AddProbe) -> Probe:
        """Keep a text, measured if the engine has time for it.

        Raises:
            Conflict: the feature has this probe already, or too many.
            As `test`, but Busy.
        """
        test = TestText(sae_id=request.sae_id, feature_id=request.feature_id, text=request.text)
        self._check_feature(request.sae_id, request.feature_id)
        measured, weights = None, self._weights(request.sae_id)
        with suppress(Busy, Unavailable, ResourceExhausted):  # later, by `measure`
            measured = self.test(test).max
        record = ProbeRecord(
            probe_id=new_id(),
            sae_id=request.sae_id,
            feature_id=request.feature_id,
            text=request.text,
            should_fire=request.should_fire,
            measured_max=measured,
            measured_with=None if measured is None else weights,
            author=request.author or self._settings.author,
            created_at=utc_now(),
        )
        self._index.known()  # the SAE has a row from here on
        self._store.insert(record)
        return self._judged(request.sae_id, [record])[0]

    def remove(self, sae_id: str, feature_id: int, probe_id: str) -> None:
        """Remove a probe.

        Raises:
            NotFound: the feature has none of that id.
        """
        self._store.remove(sae_id, feature_id, probe_id)

    def measure(self, query: ProbeQuery) -> ProbeReport:
        """Measure all probes of a feature again, one after the other; what is done stays done.

        Raises as `test`.
        """
        self._check_feature(query.sae_id, query.feature_id)
        for record in self._store.of_feature(query.sae_id, query.feature_id):
            weights = self._weights(query.sae_id)
            request = TestText(sae_id=query.sae_id, feature_id=query.feature_id, text=record.text)
            self._store.set_measured(record.probe_id, self.test(request).max, weights)
        return self.report(query)

    def export(self, query: ProbeQuery) -> Download:
        """The probes of a feature as CSV."""
        return export.to_csv(self.report(query))

    def _judged(self, sae_id: str, records: Sequence[ProbeRecord]) -> list[Probe]:
        try:
            weights = self._weights(sae_id) if records else None
        except ActiscopeError:  # its model is not here: nobody can say that it is the same
            weights = None
        return [
            Probe(
                probe_id=record.probe_id,
                sae_id=record.sae_id,
                feature_id=record.feature_id,
                text=record.text,
                should_fire=record.should_fire,
                measured_max=record.measured_max,
                is_stale=record.measured_max is not None and record.measured_with != weights,
                author=record.author,
                created_at=record.created_at,
            )
            for record in records
        ]

    def _weights(self, sae_id: str) -> str:
        """What the SAE and its model are now, as far as values depend on them."""
        sae = self._catalogue.sae_entry(sae_id)
        return f"{sae_files(sae)} {model_files(self._catalogue.model_entry(sae.info.model_id))}"

    def _check_feature(self, sae_id: str, feature_id: int) -> None:
        d_sae = self._catalogue.sae_entry(sae_id).info.d_sae
        require_feature(sae_id, feature_id, d_sae)

    def _check_length(self, text: str) -> None:
        most = self._settings.max_prompt_chars
        if len(text) > most:
            raise TooLarge(
                f"the text has {len(text)} characters; this server reads at most {most} "
                "(ACTISCOPE_MAX_PROMPT_CHARS)",
                field="text",
            )
