"""What may be asked of corpora: validated, the same for pages, REST and the command line."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from services.jobs.requests import JobParams
from services.runs.queries import Parameters, Query
from services.runs.request import ModelId

CorpusId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._\-]{0,99}$")]
UploadId = Annotated[str, StringConstraints(pattern=r"^[a-f0-9]{32}$")]
Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
FileFormat = Literal["auto", "text", "jsonl", "csv", "parquet"]


class Dataset(Query):
    """A dataset of the hub."""

    repo_id: str = Field(pattern=r"^[\w.\-]+(/[\w.\-]+)?$", max_length=200)
    config: str | None = Field(None, max_length=200)
    split: str = Field("train", min_length=1, max_length=100)
    revision: str | None = Field(None, max_length=200)
    max_documents: int | None = Field(None, ge=1, lt=2**53, description="read no more than these")


class SourceRequest(Query):
    """One source: an upload, a path of this machine, or a dataset."""

    upload_id: UploadId | None = None
    path: str | None = Field(
        None, min_length=1, max_length=4096, description="a file, or a folder of such files"
    )
    dataset: Dataset | None = None
    format: FileFormat = Field("auto", description="auto: by the file's name and content")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if [self.upload_id, self.path, self.dataset].count(None) != 2:
            raise ValueError("give exactly one of upload_id, path and dataset")
        return self


class AddCorpus(SourceRequest):
    """A corpus to be made of a source."""

    name: str | None = Field(None, max_length=100, description="default: of the file or dataset")
    text_column: Column | None = Field(None, description="default: `text`, or the only text there")
    metadata: tuple[Column, ...] | None = Field(
        None, description="columns kept as metadata; default: all that hold text, numbers, booleans"
    )
    document_separator: Literal["file", "line", "blank_line"] = Field(
        "file", description="where a document ends in plain text"
    )
    on_error: Literal["stop", "skip"] = Field(
        "stop", description="a line that cannot be read: refuse all, or leave it out and count it"
    )


class AddCorpusParams(JobParams):
    """The parameters of a job of the kind `add_corpus`."""

    request: AddCorpus


class CorpusQuery(Parameters):
    """Which corpora to list."""

    include_deleted: bool = False


class PreviewQuery(Parameters):
    """Which documents of a corpus to show."""

    start: int = Field(0, ge=0)
    limit: int = Field(10, ge=1, le=100)
    chars: int = Field(2000, ge=1, le=20_000, description="of each document")


class Packing(Query):
    """How documents become the sequences that a model reads. A window never spans documents.

    `sliding`: a document longer than the context is read in windows that advance by `stride`;
    every token is kept once, from the window in which it has most context. `documents`: the first
    window only; what lies beyond it is left out and counted.
    """

    policy: Literal["sliding", "documents"] = "sliding"
    context: int | None = Field(
        None, ge=2, le=2**20, description="tokens per window, BOS included; default: the least of "
        "512, what the model reads and what the SAEs were trained on",
    )  # fmt: skip
    stride: int | None = Field(None, ge=1, description="default: three quarters of the context")
    bos: Literal["auto", "always", "never"] = Field(
        "auto", description="BOS before each window; auto: as the SAEs were trained"
    )


class PackingQuery(Packing, Parameters):
    """A tokenised preview of a corpus."""

    model_id: ModelId | None = Field(None, description="default: the server's default model")
    limit: int = Field(5, ge=1, le=50, description="windows shown")
