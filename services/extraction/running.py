"""The job `extract`: a corpus read once, with every SAE of one model, into a store for each.

Phases: `checking` (is the corpus what was accepted), `extracting`, `merging` (feature-major files
and statistics), `decoder` (logit weights and neighbours), `features` (their top tokens and texts).
The parts that are sealed in the stores are the truth about what is done; the checkpoint has the
plan and the places to go on from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from services.errors import (
    ActiscopeError,
    Conflict,
    InvalidArgument,
)
from services.extraction.decoding import read_decoder
from services.extraction.drawing import drawn
from services.extraction.engine_pieces import Engine, Pieces
from services.extraction.failures import Failures
from services.extraction.gathering import gather_texts
from services.extraction.lanes import Lane, active, sealed_by_all
from services.extraction.plan import Plan, resolve
from services.extraction.progress import Expected, Reached
from services.extraction.reading import Reading
from services.extraction.requests import ExtractParams
from services.extraction.vocabulary import write_vocabulary
from services.extraction.windows import WindowReader
from services.sae.loader import Sae, check_fit
from services.store import StoreSpec

if TYPE_CHECKING:
    from services.corpus.reading import Corpus
    from services.decoder.service import Decoders
    from services.extraction.store import ExtractionStore
    from services.features.texts import FeatureTexts
    from services.jobs.context import JobContext
    from services.jobs.queue import Write
    from services.lm.language_model import LanguageModel
    from services.lm.resident import Residents
    from services.sae.catalogue import SaeEntry

_COMMIT_S = 2.0


@dataclass(frozen=True)
class Tools:
    """What the job works with."""

    corpus: Callable[[str], Corpus]  # opened by its id
    sae_entry: Callable[[str], SaeEntry]
    residents: Residents
    engine: Engine  # EngineWorker.between
    store_url: Callable[[str], str]  # of an extraction
    rows: ExtractionStore
    decoders: Decoders
    texts: FeatureTexts


def run_extraction(job: JobContext, params: ExtractParams, tools: Tools) -> dict[str, Any]:
    """Do the job, or go on with it; what it made, by extraction.

    Raises:
        Conflict: the corpus is not the one that was accepted.
        ActiscopeError: an SAE failed, after the others have been finished; a retry goes on.
    """
    job.begin("checking", 1, "corpora")
    corpus = _checked(tools.corpus(params.options.corpus_id), params)
    job.progress(1)
    with tools.residents.hold(params.model_id, params.sae_ids):
        return _Extraction(job, params, tools, corpus).run()


def _checked(corpus: Corpus, params: ExtractParams) -> Corpus:
    if corpus.info.content_hash != params.corpus_hash:
        raise Conflict(
            f"corpus {corpus.info.corpus_id} is not what it was when the extraction was accepted: "
            "start a new one",
            corpus_id=corpus.info.corpus_id,
        )
    corpus.verify()
    return corpus


class _Extraction:
    """One attempt at the job."""

    def __init__(
        self, job: JobContext, params: ExtractParams, tools: Tools, corpus: Corpus
    ) -> None:
        self._job, self._params, self._tools, self._corpus = job, params, tools, corpus
        self._pieces = Pieces(tools.engine, job)
        self._failures = Failures(job, tools.rows)

    def run(self) -> dict[str, Any]:
        lm: LanguageModel = self._pieces.run(
            lambda: self._tools.residents.model(self._params.model_id)
        )
        saes = self._saes(lm)
        plan = self._plan(lm, list(saes.values()))
        self._reached = Reached(plan, self._job.checkpoint)
        self._keep(self._reached.checkpoint(0), self._configured(plan))
        lanes = self._lanes(lm, saes, plan)
        self._extract(lm, lanes, plan)
        result = self._merge(lanes)
        for lane in active(lanes):
            read_decoder(self._job, self._pieces, self._tools.decoders, lm, lane.sae)
        for lane in active(lanes):
            gather_texts(self._job, self._tools.texts, lane)
        self._failures.raise_any(len(self._params.extraction_ids))
        return result | {"n_left_out": self._reached.last.n_left_out}

    # Before

    def _saes(self, lm: LanguageModel) -> dict[str, Sae]:
        """The SAEs by extraction; one that cannot be loaded or does not fit has failed."""
        found: dict[str, Sae] = {}
        for extraction_id, sae_id in zip(
            self._params.extraction_ids, self._params.sae_ids, strict=True
        ):
            try:
                found[extraction_id] = self._pieces.run(partial(self._sae, lm, sae_id))
            except ActiscopeError as error:
                self._failures.add(extraction_id, error)
        if not found:
            self._failures.raise_any(len(self._params.extraction_ids))
        return found

    def _sae(self, lm: LanguageModel, sae_id: str) -> Sae:
        sae = self._tools.residents.sae(sae_id)
        check_fit(lm, sae)
        return sae

    def _plan(self, lm: LanguageModel, saes: Sequence[Sae]) -> Plan:
        """The plan that the first attempt made, or a new one."""
        if self._job.checkpoint is not None:
            plan = Plan.from_json(self._job.checkpoint["plan"])
            if (drift := plan.drift(lm)) is not None:
                self._job.log(f"{drift}: values may differ in their last bits", "warning")
            return plan
        entries = [self._tools.sae_entry(sae.info.sae_id) for sae in saes]
        return resolve(self._params.options, lm, entries, self._corpus.info.metadata)

    def _configured(self, plan: Plan) -> list[Write]:
        ids = self._params.extraction_ids
        return [self._tools.rows.configure(extraction_id, plan.as_json()) for extraction_id in ids]

    def _lanes(self, lm: LanguageModel, saes: Mapping[str, Sae], plan: Plan) -> list[Lane]:
        lanes = []
        for extraction_id, sae in saes.items():
            url = self._tools.store_url(extraction_id)
            try:
                lane = Lane.open(extraction_id, sae, url, self._spec(lm, sae, plan))
                write_vocabulary(url, lm)
            except ActiscopeError as error:
                self._failures.add(extraction_id, error)
            else:
                lanes.append(lane)
        if not lanes:
            self._failures.raise_any(len(self._params.extraction_ids))
        return lanes

    def _spec(self, lm: LanguageModel, sae: Sae, plan: Plan) -> StoreSpec:
        corpus = self._corpus.info
        return StoreSpec(
            d_sae=sae.info.d_sae,
            model_id=lm.info.model_id,
            sae_id=sae.info.sae_id,
            hook_name=sae.info.hook_name,
            precision=plan.precision,
            metadata=plan.metadata,
            layout=plan.layout,
            provenance={
                "model_revision": lm.info.revision,
                "sae_revision": sae.info.revision,
                "corpus_id": corpus.corpus_id,
                "corpus_hash": corpus.content_hash,
                "plan": plan.as_json(),
            },
        )

    # The work

    def _extract(self, lm: LanguageModel, lanes: Sequence[Lane], plan: Plan) -> None:
        chosen = drawn(self._corpus, lm.tokenizer, plan)
        expected = Expected(self._corpus.lengths(), chosen, plan.max_tokens)
        unfinished = [lane for lane in lanes if not lane.writer.finished]
        start = self._reached.start(sealed_by_all(lanes))
        self._job.begin("extracting", expected.total(start), "tokens", start.position)
        if not unfinished:
            return
        reading = Reading(lm, unfinished, plan, self._pieces)
        reader = WindowReader(self._corpus, lm.tokenizer, plan, chosen)
        kept_at = time.monotonic()
        with closing(reading.pools(reader.pools(start))) as pools:
            for pool in pools:
                self._reached.add(pool)
                self._job.progress(pool.after.position, expected.total(pool.after))
                if time.monotonic() - kept_at >= _COMMIT_S or self._job.should_stop():
                    self._commit(lanes)
                    kept_at = time.monotonic()
        self._job.progress(self._reached.last.position, self._reached.last.position)
        if not self._reached.last.position:
            raise InvalidArgument(f"corpus {self._corpus.info.corpus_id} has no tokens")
        self._commit(lanes)

    def _commit(self, lanes: Sequence[Lane]) -> None:
        """Keep where it is, and how each extraction stands."""
        self._failures.note(lanes)
        series = self._reached.series
        writes = [
            self._tools.rows.keep(lane.extraction_id, lane.standing.live(series))
            for lane in active(lanes)
        ]
        self._keep(self._reached.checkpoint(sealed_by_all(active(lanes))), writes)

    def _keep(self, checkpoint: Mapping[str, Any], writes: Sequence[Write] = ()) -> None:
        """A commit that also says which extractions have failed since the last one."""
        self._job.commit(checkpoint, _together([*writes, *self._failures.unsaid()]))

    def _merge(self, lanes: Sequence[Lane]) -> dict[str, Any]:
        """Feature-major files and statistics of each store."""
        self._failures.note(lanes)
        waiting, result = active(lanes), {}
        self._job.begin("merging", len(waiting), "stores")
        for done, lane in enumerate(waiting, 1):
            if lane.attempt(lane.finish):
                result[lane.extraction_id] = _facts(lane, self._reached.seconds)
                self._job.progress(done)
                live = lane.standing.live(self._reached.series)
                write = self._tools.rows.complete(lane.extraction_id, live, lane.size_bytes)
                self._keep(self._job.checkpoint or {}, [write])
        self._failures.note(waiting)
        self._keep(self._job.checkpoint or {})
        return {"extractions": result}


def _facts(lane: Lane, seconds: float) -> dict[str, Any]:
    standing = lane.standing
    return {
        "sae_id": lane.sae_id,
        "store": lane.url,
        "n_tokens": standing.n_tokens,
        "n_documents": standing.n_documents,
        "nnz": standing.nnz,
        "size_bytes": lane.size_bytes,
        "seconds": round(seconds, 1),
    }


def _together(writes: Sequence[Write]) -> Write:
    """All of them in one transaction."""

    def write(session: Any) -> None:
        for one in writes:
            one(session)

    return write
