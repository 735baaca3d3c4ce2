"""The job that makes a corpus: read it, type it, put it in place with one rename.

Nothing is kept of a job that is interrupted: it begins again.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from services.corpus.catalogue import FOLDER, CorpusCatalogue
from services.corpus.gathering import Reporter
from services.corpus.manifest import MANIFEST, Manifest
from services.corpus.naming import name_of_file
from services.corpus.requests import AddCorpus, AddCorpusParams, SourceRequest
from services.corpus.settling import About, make_corpus
from services.corpus.sources.datasets_hub import DatasetSource
from services.corpus.sources.files import FileSource, open_files
from services.corpus.sources.pieces import Source
from services.corpus.sources.text import Separator
from services.corpus.uploads import Uploads
from services.corpus.writing import sync
from services.errors import Conflict, Unavailable
from services.registry.places import check_open, put, readable_place
from services.settings import Settings
from services.store.storage import disk_errors
from services.text import storable
from services.types import CorpusSource

_ADDING, _REMOVED = ".adding-", ".removed-"
_LEFT_BEHIND_S = 24 * 3600


class AddingJob(Reporter, Protocol):
    """The job, as far as it is used here."""

    job_id: str
    checkpoint: Mapping[str, Any] | None

    def commit(self, checkpoint: Mapping[str, Any]) -> None:
        """Keep how far it is."""
        ...


@dataclass(frozen=True)
class Tools:
    """What adding works with."""

    settings: Settings
    catalogue: CorpusCatalogue
    uploads: Uploads
    placed: Callable[[str], None]  # told of each corpus that was added, or is added again


def add_corpus(job: AddingJob, params: AddCorpusParams, tools: Tools) -> dict[str, Any]:
    """Make the corpus, or find the one that has the same content already."""
    if job.checkpoint is not None:  # it was put in place, and then the process died
        return dict(job.checkpoint)
    request = params.request
    source, kind = open_source(request, tools)
    if isinstance(source, FileSource) and source.others:
        some = ", ".join(source.others[:10])
        job.log(f"{len(source.others):,} files are of no such format: {some}"[:1000], "warning")
    about = About(_name(request, source), kind, storable(source.origin)[:1000])
    with _staging(tools.settings.home / FOLDER, job.job_id) as stage:
        manifest = make_corpus(source, request, about, stage, job)
        job.check()
        corpus_id, existed = _place(stage, manifest, tools)
    tools.placed(corpus_id)
    result = {
        "corpus_id": corpus_id,
        "existed": existed,
        "n_documents": manifest.n_documents,
        "n_skipped": manifest.n_skipped,
        "left_out": dict(manifest.left_out),
    }
    if request.upload_id is not None:
        job.commit(result)  # before: a second attempt would not find the upload any more
        tools.uploads.remove(request.upload_id)
    return result


def open_source(
    request: SourceRequest, tools: Tools, *, any_folder: bool = False
) -> tuple[Source, CorpusSource]:
    """What the request names, not read yet, and what kind of origin it has.

    Raises:
        NotFound: it is not there.
        InvalidArgument: it may not be read, or is no source.
    """
    separator: Separator = "file"
    if isinstance(request, AddCorpus):
        separator = request.document_separator
    if request.dataset is not None:
        return DatasetSource(request.dataset, tools.settings), CorpusSource.HUGGINGFACE
    if request.upload_id is not None:
        place = tools.uploads.get(request.upload_id)
        kind = CorpusSource.FOLDER if place.is_symlink() else CorpusSource.UPLOAD
        source = open_files(place, request.format, separator)
        source.origin = str(place.resolve()) if place.is_symlink() else place.name
        return source, kind
    place = readable_place(str(request.path), tools.settings, any_folder=any_folder)
    check = (lambda files: None) if any_folder else lambda files: check_open(files, tools.settings)
    source = open_files(place, request.format, separator, check)
    source.origin = str(place)
    return source, CorpusSource.FOLDER


def sweep(root: Path, job_id: str | None = None) -> None:
    """Remove what killed processes left behind: of that job all, of others what is a day old."""
    for folder in root.iterdir():
        if folder.name.startswith((_ADDING, _REMOVED)):
            with suppress(OSError):
                is_old = time.time() - folder.lstat().st_mtime > _LEFT_BEHIND_S
                is_own = job_id is not None and folder.name.startswith(f"{_ADDING}{job_id}-")
                if is_old or is_own:
                    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _staging(root: Path, job_id: str) -> Iterator[Path]:
    """A hidden folder beside the final place, which goes when the block ends."""
    stage = root / f"{_ADDING}{job_id}-{uuid.uuid4().hex[:8]}"
    try:
        with disk_errors(f"corpora below {root}"):
            root.mkdir(parents=True, exist_ok=True)
            sweep(root, job_id)
            stage.mkdir()
    except OSError as error:
        raise Unavailable(
            f"{root} cannot be written ({error.strerror}): change it or ACTISCOPE_HOME"
        ) from None
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _place(stage: Path, manifest: Manifest, tools: Tools) -> tuple[str, bool]:
    """The corpus's id, and whether it was there: with this content there is but one."""
    root = tools.settings.home / FOLDER
    for number in range(1, 100):
        if existing := _with_content(tools.catalogue, manifest.content_hash):
            return existing, True
        corpus_id = manifest.corpus_id + (f"-{number}" if number > 1 else "")
        (stage / MANIFEST).write_bytes(replace(manifest, corpus_id=corpus_id).as_json())
        sync(stage / MANIFEST)
        try:
            put(stage, root / corpus_id)
        except Conflict:  # damaged files have the id, or another process was faster
            continue
        sync(root)
        return corpus_id, False
    raise Conflict(f"there are too many corpora named {manifest.name[:100]!r}")


def _with_content(catalogue: CorpusCatalogue, content_hash: str) -> str | None:
    found = (e.info.corpus_id for e in catalogue.list() if e.info.content_hash == content_hash)
    return next(found, None)


def _name(request: AddCorpus, source: Source) -> str:
    given = (request.name or "").strip()
    return storable(given or name_of_file(source.name))
