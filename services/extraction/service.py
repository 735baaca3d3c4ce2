"""Extractions, as pages, REST and the command line use them: start, follow, stop, remove."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from services.errors import Conflict, NotFound
from services.extraction.checking import Chosen, choose
from services.extraction.estimate import estimate
from services.extraction.kind import EXTRACT, extract_kind, new_rows
from services.extraction.parts import Parts
from services.extraction.requests import (
    ExtractionOptions,
    ExtractionQuery,
    ExtractParams,
    StartExtraction,
)
from services.extraction.store_ids import new_ids
from services.jobs.requests import StartJob
from services.types import ExtractionEstimate, ExtractionPage, ExtractionView

# The class has a method `list`, so the type is named out here.
Views = tuple[ExtractionView, ...]


class Extractions:
    """Read a corpus with SAEs, and keep every activation."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.kind = extract_kind(parts)

    def start(self, request: StartExtraction) -> Views:
        """Accept an extraction for each SAE, in one job that reads the corpus once.

        The same `request_key` with the same body gives the extractions that exist. Extractions of
        the same SAE may be under way at the same time.

        Raises:
            NotFound, InvalidArgument, Unsupported, Conflict, ResourceExhausted: see
            `services.extraction.checking`.
        """
        chosen = choose(self._parts, request)
        self._parts.index.known()  # an extraction needs the rows of its SAEs
        try:
            ids = self._submit(request, chosen)
        except Conflict:
            if request.request_key is None or self._ids_of(request.request_key) is None:
                raise
            ids = self._submit(request, chosen)  # somebody else was faster with this key
        return tuple(map(self.get, ids))

    def estimate(self, request: StartExtraction) -> ExtractionEstimate:
        """What it would take; nothing is started."""
        return estimate(self._parts, request, choose(self._parts, request))

    def get(self, extraction_id: str) -> ExtractionView:
        """The extraction.

        Raises:
            NotFound: there is none.
        """
        return self._parts.rows.get(extraction_id)

    def list(self, query: ExtractionQuery) -> ExtractionPage:
        """One page of extractions, newest first."""
        return self._parts.rows.page(query)

    def latest(self, sae_id: str) -> ExtractionView | None:
        """The SAE's newest extraction; None where it has none.

        Raises:
            NotFound: there is no such SAE.
        """
        return next(iter(self._newest(sae_id, 1)), None)

    def readable(self, sae_id: str) -> ExtractionView:
        """The SAE's newest extraction that is complete, or else of which something can be read.

        Raises:
            NotFound: there is none.
        """
        for limit in (5, 200):  # mostly the first one will do
            views = [view for view in self._newest(sae_id, limit) if view.has_store]
            found = next((view for view in views if view.is_complete), None)
            if found is not None or (limit == 200 and views):
                return found or views[0]
        raise NotFound(
            f"no features of SAE {sae_id} were extracted yet: start an extraction "
            f"(`actiscope extract --sae {sae_id} --corpus …`, or the page Extractions)",
            sae_id=sae_id,
        )

    def cancel(self, extraction_id: str) -> ExtractionView:
        """Stop its job within a batch, and with it the other extractions of that job; what was
        done is kept and can be read. A final one stays as it is.
        """
        view = self.get(extraction_id)
        if view.job_id is not None and not view.status.is_final:
            self._parts.jobs.cancel(view.job_id)
        return self.get(extraction_id)

    def retry(self, extraction_id: str) -> ExtractionView:
        """Queue its job again: it goes on from what is kept.

        Raises:
            Conflict: it neither failed nor was cancelled, or that was too long ago.
        """
        view = self.get(extraction_id)
        if view.is_complete or view.job_id is None:
            reason = "complete" if view.is_complete else "too old: its job was forgotten"
            raise Conflict(
                f"extraction {extraction_id} is {reason}; start a new one",
                extraction_id=extraction_id,
            )
        self._parts.jobs.retry(view.job_id)
        return self.get(extraction_id)

    def remove(self, extraction_id: str) -> None:
        """Forget the extraction, and remove its store.

        Raises:
            Conflict: its job is under way.
        """
        view = self.get(extraction_id)
        if self._is_worked_on(view):
            raise Conflict(
                f"extraction {extraction_id} is under way, or another one of its job: cancel it "
                "first",
                extraction_id=extraction_id,
                job_id=view.job_id,
            )
        # The row goes last: while there is one, what is left of the store can be removed again.
        self._parts.stores.forget(extraction_id)
        _remove_folder(self._parts.stores.url(extraction_id))
        self._parts.texts.forget(extraction_id)
        self._parts.rows.forget(extraction_id)

    def _is_worked_on(self, view: ExtractionView) -> bool:
        if view.job_id is None:
            return False
        with suppress(NotFound):  # forgotten just now: it was final
            return not self._parts.jobs.get(view.job_id).status.is_final
        return False

    def _newest(self, sae_id: str, limit: int) -> Views:
        views = self.list(ExtractionQuery(sae_id=sae_id, limit=limit)).items
        if not views:
            self._parts.catalogue.sae_entry(sae_id)
        return views

    def _submit(self, request: StartExtraction, chosen: Chosen) -> Sequence[str]:
        ids, at = new_ids(request.sae_ids)
        if request.request_key is not None:
            ids = self._ids_of(request.request_key) or ids
        params = _params(request, chosen, ids)

        def write(session: object, job_id: str) -> None:
            rows = new_rows(self._parts, params, job_id, at)
            self._parts.rows.add(rows)(session)

        values = params.model_dump(mode="json")
        job = StartJob(kind=EXTRACT, params=values, request_key=request.request_key)
        self._parts.jobs.start(job, write)
        return ids

    def _ids_of(self, request_key: str) -> tuple[str, ...] | None:
        """Those that were accepted under this key; None when nothing was."""
        job = self._parts.jobs.by_key(request_key)
        if job is None or job.kind != EXTRACT:
            return None
        return tuple(job.params["extraction_ids"])


def _params(request: StartExtraction, chosen: Chosen, ids: Sequence[str]) -> ExtractParams:
    options = request.model_dump(include=set(ExtractionOptions.model_fields))
    return ExtractParams(
        model_id=chosen.model_id,
        sae_ids=request.sae_ids,
        extraction_ids=tuple(ids),
        options=ExtractionOptions.model_validate(options),
        corpus_hash=chosen.corpus.content_hash,
    )


def _remove_folder(url: str) -> None:
    import fsspec

    filesystem, path = fsspec.core.url_to_fs(url)
    with suppress(FileNotFoundError):
        filesystem.rm(path, recursive=True)
