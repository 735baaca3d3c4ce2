"""The second of two passes: documents with typed metadata, their hash, and `corpus.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from services.corpus.columns import converted, names_of
from services.corpus.gathering import Gathered, Pulse, Reporter, gather
from services.corpus.manifest import MANIFEST, SKIPPED, Manifest, file_of, schema
from services.corpus.naming import corpus_id_of
from services.corpus.requests import AddCorpus
from services.corpus.sources.pieces import Source
from services.corpus.writing import TableWriter, sync
from services.errors import ResourceExhausted
from services.store.storage import disk_errors
from services.types import CorpusSource


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a corpus before it is read."""

    name: str
    source: CorpusSource
    origin: str


def make_corpus(
    source: Source, request: AddCorpus, about: About, folder: Path, job: Reporter
) -> Manifest:
    """Make a whole corpus of the source in `folder`, which is empty.

    Raises:
        InvalidArgument: something in the source cannot be read; names the place.
        ResourceExhausted: the disk is full.
    """
    with _disk(folder):
        gathered = gather(source, request, folder, job)
        manifest = _settle(gathered, source.is_textual, about, folder, job)
        for file in gathered.files:
            (folder / file.name).unlink()
        (folder / MANIFEST).write_bytes(manifest.as_json())
        for path in (folder / SKIPPED, folder / MANIFEST, folder):
            sync(path)
    for column, reason in manifest.left_out.items():
        job.log(f"the column {column!r} is left out: {reason}", "warning")
    return manifest


def _settle(
    gathered: Gathered, is_textual: bool, about: About, folder: Path, job: Reporter
) -> Manifest:
    types = gathered.columns.settled()
    names = names_of(types)
    metadata = {names[column]: kind for column, kind in types.items()}
    job.begin("writing", gathered.n_documents, "documents")
    digest, pulse = hashlib.sha256(), Pulse(job)
    with TableWriter(folder, "documents", schema(metadata)) as writer:
        for done, (name, text, values) in enumerate(_documents(gathered, folder), 1):
            kept = {
                names[column]: converted(values.get(column), kind, is_textual)
                for column, kind in types.items()
            }
            digest.update(content_of(name, text, kept))
            writer.add({**kept, "name": name, "text": text}, len(text) + 32 * len(kept))
            pulse.beat(done)
    job.progress(gathered.n_documents)
    content_hash = digest.hexdigest()
    return Manifest(
        corpus_id=corpus_id_of(about.name, content_hash),
        name=about.name,
        source=about.source,
        origin=about.origin,
        content_hash=content_hash,
        text_column=gathered.text_column,
        metadata=metadata,
        n_documents=gathered.n_documents,
        n_chars=gathered.n_chars,
        n_skipped=gathered.n_skipped,
        created_at=datetime.now(UTC),
        files=(*writer.files, file_of(folder / SKIPPED)),
        renamed={new: old for old, new in names.items() if new != old},
        left_out=gathered.columns.left_out,
    )


def content_of(name: str, text: str, metadata: Mapping[str, Any]) -> bytes:
    """What a document adds to the hash of its corpus: a line of JSON, the columns by name."""
    line = json.dumps([name, text, metadata], ensure_ascii=False, sort_keys=True)
    return line.encode("utf-8") + b"\n"


def _documents(gathered: Gathered, folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for file in gathered.files:
        with pq.ParquetFile(folder / file.name, pre_buffer=False) as parquet:
            for group in range(parquet.num_row_groups):
                table = parquet.read_row_group(group).to_pydict()
                rows = zip(table["name"], table["text"], table["metadata"], strict=True)
                for name, text, metadata in rows:
                    yield name, text, json.loads(metadata)


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """A full disk as the product's own error; pyarrow hides the number in its text."""
    try:
        with disk_errors(f"a corpus below {folder.parent}"):
            yield
    except OSError as error:
        if "No space left" in str(error) or "File too large" in str(error):
            raise ResourceExhausted(
                f"no space left to write a corpus below {folder.parent}"
            ) from error
        raise
