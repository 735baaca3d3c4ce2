"""What the URLs of the extractions' pages carry."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, field_validator

from pages.url_state import UrlState
from services.corpus.requests import CorpusId
from services.extraction.requests import MAX_SAES, ExtractionId, ExtractionQuery
from services.jobs.requests import JobId
from services.runs.queries import FeatureId
from services.runs.request import ModelId
from services.types import JobStatus, Source


class ExtractionFilters(UrlState):
    """What an extraction must be to be listed; a filter that makes no sense is dropped."""

    model_config = ConfigDict(str_strip_whitespace=True)

    status: JobStatus | None = None
    sae: ModelId | None = None
    model: ModelId | None = None
    corpus: CorpusId | None = None
    job: JobId | None = None

    def query(self, cursor: Any = None) -> ExtractionQuery:
        """The page of extractions behind `cursor`.

        Raises:
            InvalidArgument: the cursor is not one of ours.
        """
        return ExtractionQuery.parse(
            {
                "limit": 24,
                "cursor": cursor,
                "status": self.status,
                "sae_id": self.sae,
                "model_id": self.model,
                "corpus_id": self.corpus,
                "job_id": self.job,
            }
        )


class ExtractionName(UrlState):
    """The extraction that the address names."""

    id: ExtractionId | None = None


class PickFilters(UrlState):
    """Which SAEs are offered for an extraction."""

    model_config = ConfigDict(str_strip_whitespace=True)

    text: str | None = Field(None, min_length=1, max_length=500)
    source: Source | None = None
    model: ModelId | None = None
    hook: str | None = Field(None, min_length=1, max_length=200)


class Prefilled(UrlState):
    """What a link to a new extraction has chosen already."""

    sae: tuple[ModelId, ...] | None = Field(None, max_length=MAX_SAES)
    corpus: CorpusId | None = None

    @field_validator("sae", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        names = [value] if isinstance(value, str) else value
        return tuple(dict.fromkeys(names)) if isinstance(names, list | tuple) else None


class FeatureState(UrlState):
    """The chosen feature and the order of the table."""

    feature: FeatureId | None = None
    sort: str | None = Field(None, pattern="^[a-z_]{1,40}$")
    up: bool | None = None  # smallest first
    page: int | None = Field(None, ge=1, le=1_000_000)
