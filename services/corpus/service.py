"""Corpora, as pages, REST and the command line use them: look, add, read, remove."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from services.corpus.adding import Tools, add_corpus, open_source, sweep
from services.corpus.catalogue import FOLDER, CorpusCatalogue
from services.corpus.preview import look_at, preview_of
from services.corpus.reading import Corpus
from services.corpus.requests import (
    AddCorpus,
    AddCorpusParams,
    CorpusQuery,
    PreviewQuery,
    SourceRequest,
)
from services.corpus.sources.datasets_hub import DatasetSource
from services.corpus.statistics import statistics_of
from services.corpus.store import CorpusStore
from services.corpus.uploads import Uploads
from services.demo import ARTEFACTS
from services.errors import ActiscopeError, Conflict, NotFound
from services.jobs.kinds import Kind
from services.jobs.requests import StartJob
from services.jobs.service import Jobs
from services.registry.places import check_open, readable_place
from services.settings import Settings
from services.types import CorpusInfo, CorpusPreview, CorpusStatistics, JobView, SourcePreview

KIND = "add_corpus"
_KEPT_STATISTICS = 50

# The class has a method `list`, so the type is named out here.
Infos = tuple[CorpusInfo, ...]


class Corpora:
    """The corpora below the demo's folder and the data folder.

    With `any_folder` sources are taken from any folder of the machine: for the command line.
    """

    def __init__(
        self,
        settings: Settings,
        store: CorpusStore,
        jobs: Jobs,
        *,
        demo: Path = ARTEFACTS,
        any_folder: bool = False,
    ) -> None:
        self._settings, self._store, self._jobs, self._demo = settings, store, jobs, demo
        self._any_folder = any_folder
        self._catalogue = CorpusCatalogue((demo, settings.home))
        self._uploads = Uploads(settings.home, settings.max_upload_mb * 10**6)
        self._tools = Tools(settings, self._catalogue, self._uploads, self._placed)
        self._statistics: dict[str, CorpusStatistics] = {}
        self._lock = threading.Lock()
        self.kind = Kind(
            KIND,
            AddCorpusParams,
            lambda job, params: add_corpus(job, params, self._tools),
            lambda params: f"Add corpus {self._what(params.request)}"[:200],
        )

    # Adding

    def look(self, request: SourceRequest) -> SourcePreview:
        """The first rows of a source; quick, however large it is.

        Raises:
            InvalidArgument: nothing of it can be read, or it may not be.
            NotFound: it is not there.
            Unavailable: the hub cannot be reached.
        """
        source, _ = open_source(request, self._tools, any_folder=self._any_folder)
        return look_at(source)

    def upload(self, stream: IO[bytes], file_name: str, expected: int | None = None) -> str:
        """Keep a file for a day, to be looked at and added; its id. `expected` is its size.

        Raises:
            TooLarge: more than ACTISCOPE_MAX_UPLOAD_MB.
            InvalidArgument: nothing came, or not all of it.
            ResourceExhausted: the disk is full.
        """
        return self._uploads.receive(stream, file_name, expected)

    def uploaded(self, upload_id: str) -> Path:
        """The file that was sent, for others that read files; it is gone after a day.

        Raises:
            NotFound: there is none any more.
        """
        return self._uploads.get(upload_id)

    def add(self, request: AddCorpus) -> JobView:
        """Make a corpus of a source, in a job. The same content again gives the same corpus.

        Raises:
            NotFound, InvalidArgument: the source is not there, or may not be read.
            Unavailable: it would come from the hub, and this server is offline.
        """
        source, _ = open_source(request, self._tools, any_folder=self._any_folder)
        if isinstance(source, DatasetSource):
            source.check()
        request = self._within_reach(request)
        params = AddCorpusParams(request=request).model_dump(mode="json")
        return self._jobs.start(StartJob(kind=KIND, params=params))

    def _within_reach(self, request: AddCorpus) -> AddCorpus:
        """The request so that any server of this database may work on it."""
        if request.path is None or not self._any_folder:
            return request
        place = readable_place(request.path, self._settings, any_folder=True)
        try:
            check_open([place], self._settings)
            return request.model_copy(update={"path": str(place)})
        except ActiscopeError:
            linked = self._uploads.link(place)
            return request.model_copy(update={"path": None, "upload_id": linked})

    def _placed(self, corpus_id: str) -> None:
        """A corpus was added: it has a row, and is in use again when it was deleted."""
        self._store.sync([self._catalogue.get(corpus_id).info])
        self._store.set_deleted(corpus_id, None)

    # Reading

    def list(self, query: CorpusQuery) -> Infos:
        """The corpora, newest first; those that cannot be read, with their problem, at the end."""
        good = [entry.info for entry in self._catalogue.list()]
        infos = [*self._marked(good), *self._catalogue.problems()]
        shown = [i for i in infos if i.deleted_at is None or query.include_deleted]
        return tuple(
            sorted(shown, key=lambda i: (i.problem is not None, -i.created_at.timestamp()))
        )

    def get(self, corpus_id: str) -> CorpusInfo:
        """The corpus, deleted or not.

        Raises:
            NotFound: there is none.
            Unsupported: its files are not what they should be.
        """
        return self._marked([self._catalogue.get(corpus_id).info])[0]

    def open(self, corpus_id: str) -> Corpus:
        """The corpus to be read, deleted or not; see `get`."""
        entry = self._catalogue.get(corpus_id)
        return Corpus.open(replace(entry, info=self._marked([entry.info])[0]))

    def preview(self, corpus_id: str, query: PreviewQuery) -> CorpusPreview:
        """Some documents."""
        return preview_of(self.open(corpus_id), query)

    def statistics(self, corpus_id: str) -> CorpusStatistics:
        """Lengths and metadata of all documents; computed once."""
        corpus = self.open(corpus_id)
        key = f"{corpus_id} {corpus.info.created_at.isoformat()}"
        known = self._statistics.get(key)
        if known is None:
            known = statistics_of(corpus)
            with self._lock:
                self._statistics[key] = known
                for oldest in tuple(self._statistics)[:-_KEPT_STATISTICS]:
                    del self._statistics[oldest]
        return known

    # Removing

    def remove(self, corpus_id: str, hard: bool = False) -> None:
        """Take it out of use; `hard`: forget it, and remove its files.

        Raises:
            NotFound: there is none.
            Conflict: its files are needed, or are part of the product.
        """
        place = self._catalogue.folder(corpus_id)
        if not hard:
            self.get(corpus_id)
            self._store.set_deleted(corpus_id, datetime.now(UTC))
            return
        if place.is_relative_to(self._demo):
            raise Conflict(
                f"corpus {corpus_id} is part of Actiscope and its files stay; delete it without "
                "them",
                id=corpus_id,
            )
        self._store.forget(corpus_id)
        root = self._settings.home / FOLDER
        aside = root / f".removed-{uuid.uuid4().hex}"
        place.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        sweep(root)

    def restore(self, corpus_id: str) -> CorpusInfo:
        """Put it into use again."""
        self.get(corpus_id)
        self._store.set_deleted(corpus_id, None)
        return self.get(corpus_id)

    def _marked(self, infos: Sequence[CorpusInfo]) -> Infos:
        """As the table marks them; what it does not have yet is written into it."""
        rows = self._store.rows()
        new = [info for info in infos if info.corpus_id not in rows]
        if new:
            self._store.sync(new)
        marks = {id: row.deleted_at for id, row in rows.items()}
        return tuple(replace(info, deleted_at=marks.get(info.corpus_id)) for info in infos)

    def _what(self, request: AddCorpus) -> str:
        """What the job's title calls it."""
        if request.name:
            return request.name
        if request.dataset is not None:
            return request.dataset.repo_id
        if request.upload_id is None:
            return Path(request.path or "").name
        try:
            return self._uploads.get(request.upload_id).name
        except NotFound:  # said when the job looks for it
            return "from an upload"
