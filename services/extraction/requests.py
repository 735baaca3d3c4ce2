"""What may be asked of extractions: validated, the same for pages, REST and the command line."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from services.corpus.requests import Column, CorpusId, Packing
from services.jobs.requests import JobId, JobParams, RequestKey
from services.runs.queries import Parameters, Query
from services.runs.request import ModelId
from services.types import JobStatus

ID = r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,199}$"
ExtractionId = Annotated[str, StringConstraints(pattern=ID)]
MAX_SAES = 50
Skip = Literal["bos", "special"]


class ExtractionOptions(Query):
    """How a corpus is read; the same for all SAEs of an extraction."""

    corpus_id: CorpusId
    packing: Packing = Packing()
    max_tokens: int | None = Field(None, ge=1, lt=2**53, description="token budget; default: all")
    sample_seed: int | None = Field(
        None, ge=0, lt=2**63, description="with a budget: documents drawn at random; default: the "
        "first ones",
    )  # fmt: skip
    skip: tuple[Skip, ...] = Field(
        ("bos", "special"), description="tokens that are stored but not counted, without features"
    )
    batch_tokens: int | None = Field(
        None, ge=1, le=2**22, description="tokens per forward pass; default: as memory allows"
    )
    metadata: tuple[Column, ...] | None = Field(
        None, description="columns of the corpus kept in the store; default: all"
    )
    precision: Literal["auto", "float16", "float32"] = "auto"
    allow_broken: bool = Field(False, description="also with SAEs that a preflight found broken")


class StartExtraction(ExtractionOptions):
    """An extraction with one to fifty SAEs of one model."""

    sae_ids: tuple[ModelId, ...] = Field(min_length=1, max_length=MAX_SAES)
    request_key: RequestKey | None = Field(
        None, description="makes the call repeatable: the same key and body give the same job"
    )

    @field_validator("sae_ids")
    @classmethod
    def _different(cls, sae_ids: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(sae_ids)) < len(sae_ids):
            raise ValueError("an SAE is named twice")
        return sae_ids


class ExtractOne(ExtractionOptions):
    """The body of `POST /saes/{id}/extract-features`."""

    request_key: RequestKey | None = None


class ExtractParams(JobParams):
    """The parameters of a job of the kind `extract`: `extraction_ids` are those of `sae_ids`."""

    model_id: ModelId
    sae_ids: tuple[ModelId, ...]
    extraction_ids: tuple[ExtractionId, ...]
    options: ExtractionOptions
    corpus_hash: str = Field(description="what the corpus was when the job was accepted")


class ExtractionQuery(Parameters):
    """Which extractions to list, newest first."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before")
    status: JobStatus | None = None
    sae_id: ModelId | None = None
    model_id: ModelId | None = None
    corpus_id: CorpusId | None = None
    job_id: JobId | None = None
