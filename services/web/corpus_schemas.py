"""What REST takes and answers about corpora, as the OpenAPI document says it.

The answers themselves are built by `services.corpus.documents`; the tests hold every answer
against its model.
"""

from __future__ import annotations

from typing import Any

from flask_openapi3 import RawModel
from pydantic import BaseModel, Field

from services.corpus.requests import CorpusId
from services.runs.queries import Parameters
from services.types import CorpusSource


class CorpusPath(BaseModel):
    """A corpus's address."""

    corpus_id: CorpusId


class UploadParameters(Parameters):
    """How an upload is called."""

    file_name: str = Field(
        min_length=1, max_length=500, description="with its ending, which tells the format"
    )


class DeleteCorpusParameters(Parameters):
    """How much is deleted."""

    hard: bool = Field(False, description="forget it, and remove its files")


class FileContent(RawModel):
    """The bytes of a file."""

    mimetypes = ["application/octet-stream"]


class UploadBody(BaseModel):
    """A file that was sent; it is kept for a day."""

    upload_id: str


class CorpusBody(BaseModel):
    """A corpus: complete, and no longer changed."""

    corpus_id: str
    name: str
    source: CorpusSource
    origin: str = Field(description="file or folder; or repository, configuration, split, revision")
    content_hash: str = Field(description="sha256 over names, texts and metadata of all documents")
    text_column: str
    metadata: dict[str, str] = Field(description="column: string, int64, float64 or bool")
    n_documents: int
    n_chars: int
    n_skipped: int = Field(description="pieces of the source that could not be read")
    size_bytes: int
    created_at: str
    deleted_at: str | None
    problem: str | None = Field(description="why it cannot be read now")


class CorporaBody(BaseModel):
    """Corpora, newest first."""

    items: list[CorpusBody]


class DocumentBody(BaseModel):
    """A document, perhaps cut."""

    number: int = Field(description="from 0")
    name: str
    text: str
    metadata: dict[str, Any]


class DocumentsBody(BaseModel):
    """Some documents of a corpus."""

    documents: list[DocumentBody]
    start: int
    n_documents: int = Field(description="of the whole corpus")


class SourceBody(BaseModel):
    """What is in a source, by its first rows."""

    file: str
    format: str = Field(description="text | jsonl | csv | parquet | dataset")
    columns: dict[str, str]
    rows: list[dict[str, Any]] = Field(description="long values are cut")
    suggested_text: str | None = Field(description="the column that is the text, most probably")
    size_bytes: int | None


class FrequentBody(BaseModel):
    """A value of metadata, and how many documents have it."""

    value: str
    n: int


class SkippedBody(BaseModel):
    """A piece of the source that is not in the corpus."""

    file: str
    line: int | None
    reason: str


class CorpusStatisticsBody(BaseModel):
    """Of all documents of a corpus, in characters."""

    n_documents: int
    n_chars: int
    n_empty: int
    shortest: int
    median: float
    longest: int
    mean: float
    length_edges: list[float] = Field(description="of the histogram without empty documents")
    length_counts: list[int]
    metadata: dict[str, list[FrequentBody]] = Field(
        description="the most frequent values; none where too many are different"
    )
    skipped: list[SkippedBody] = Field(description="the first ones")


class WindowBody(BaseModel):
    """One sequence as the model will read it."""

    document: int
    tokens: list[str]
    token_ids: list[int]
    is_special: list[bool]
    is_new: list[bool] = Field(description="false: context only, kept from the window before")


class PackingBody(BaseModel):
    """The first windows of a corpus, and what the packing makes of the documents looked at."""

    model_id: str
    context: int
    windows: list[WindowBody]
    n_documents: int = Field(description="that were looked at")
    n_tokens: int = Field(description="kept of them")
    n_left_out: int = Field(description="tokens beyond the context of long documents")
    chars_per_token: float
    estimated_tokens: int = Field(description="of the whole corpus, at that rate")
