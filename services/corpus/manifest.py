"""`corpus.json`: what a corpus is, written once beside its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from services.errors import Unsupported
from services.store.storage import digest_of
from services.types import CorpusInfo, CorpusSource
from services.validation import invalid

FORMAT_VERSION = 1
MANIFEST, SKIPPED = "corpus.json", "skipped.jsonl"
COLUMN_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.large_string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """A file of a corpus."""

    name: str
    n_bytes: int
    sha256: str
    n_documents: int = 0  # of skipped.jsonl: 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that is known of a corpus and does not change."""

    corpus_id: str
    name: str
    source: CorpusSource
    origin: str
    content_hash: str
    text_column: str
    metadata: Mapping[str, str]
    n_documents: int
    n_chars: int
    n_skipped: int
    created_at: datetime
    files: tuple[CorpusFile, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)  # column here: as the source has it
    left_out: Mapping[str, str] = field(default_factory=dict)  # column of the source: why
    format_version: int = FORMAT_VERSION

    def as_json(self) -> bytes:
        """The content of `corpus.json`."""
        return _ADAPTER.dump_json(self, indent=2) + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Read `corpus.json`.

        Raises:
            InvalidArgument: it is damaged.
            Unsupported: a later version wrote it.
        """
        try:
            manifest = _ADAPTER.validate_json(text)
        except ValidationError as error:
            raise invalid(error) from None
        if manifest.format_version != FORMAT_VERSION:
            raise Unsupported(
                f"{MANIFEST} has format version {manifest.format_version}; this reads "
                f"{FORMAT_VERSION}"
            )
        return manifest

    @property
    def document_files(self) -> tuple[CorpusFile, ...]:
        """The Parquet files, in the order of their documents."""
        return tuple(file for file in self.files if file.name.endswith(".parquet"))

    def info(self) -> CorpusInfo:
        """The corpus as it is listed."""
        return CorpusInfo(
            corpus_id=self.corpus_id,
            name=self.name,
            source=self.source,
            origin=self.origin,
            content_hash=self.content_hash,
            text_column=self.text_column,
            metadata=self.metadata,
            n_documents=self.n_documents,
            n_chars=self.n_chars,
            n_skipped=self.n_skipped,
            size_bytes=sum(file.n_bytes for file in self.files),
            created_at=self.created_at,
        )


def schema(metadata: Mapping[str, str]) -> pa.Schema:
    """The columns of the Parquet files."""
    fixed = [pa.field("name", pa.string()), pa.field("text", pa.large_string())]
    return pa.schema([*fixed, *(pa.field(n, COLUMN_TYPES[kind]) for n, kind in metadata.items())])


def file_of(path: Path, n_documents: int = 0) -> CorpusFile:
    """What is to be known of a complete file."""
    n_bytes, sha256 = digest_of(path)
    return CorpusFile(path.name, n_bytes, sha256, n_documents)


_ADAPTER = TypeAdapter(Manifest)
