"""What REST takes beyond the run request and the shared queries: addresses, parameters, bodies."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.errors import InvalidArgument
from services.runs.queries import (
    FeatureId,
    ModelId,
    Parameters,
    Position,
    Query,
    RowQuery,
    TopQuery,
)
from services.stores.requests import TokenPosition
from services.text import storable
from services.types import Segment


class RunPath(BaseModel):
    """A run's address."""

    request_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}$")


class NoParameters(Query):
    """For endpoints that take none."""


class ModelPath(BaseModel):
    """A model's address; ids may contain a slash."""

    model_id: str


class SaePath(BaseModel):
    """An SAE's address; ids may contain a slash."""

    sae_id: str


class TaskPath(BaseModel):
    """A task's address."""

    task_id: str


class JobPath(BaseModel):
    """A job's address."""

    job_id: str


class StorePath(BaseModel):
    """A store's address."""

    store_id: str


class StoreFeaturePath(StorePath):
    """A feature of a store."""

    feature: FeatureId


class StoreTokenPath(StorePath):
    """A token of a store, by its number in the corpus."""

    position: TokenPosition


class StoreDocumentPath(StorePath):
    """A document of a store."""

    document: Position


class ListParameters(Parameters):
    """What a list includes."""

    include_deleted: bool = False


class DeleteParameters(Parameters):
    """How much is deleted."""

    with_files: bool = Field(False, description="forget it, and remove its files")


class PreflightParameters(Parameters):
    """What to measure an SAE with."""

    model_id: ModelId | None = Field(None, description="default: the model it is registered for")


class RowsParameters(RowQuery):
    """Which activation rows; a page of them."""

    limit: int = Field(500, ge=1, le=100_000)


class CodeParameters(Query):
    """In which language."""

    language: Literal["python", "curl"] = "python"


class DownloadParameters(Parameters):
    """What to download; the filters are those of rows and top-features."""

    what: Literal["rows", "top-features", "run"] = "rows"
    format: Literal["csv", "parquet", "json"] = "csv"
    sae_id: ModelId | None = None
    sae_layer: int | None = Field(None, ge=0)
    feature_id: FeatureId | None = None
    token_start: Position | None = None
    token_end: Position | None = None
    rank_max: int | None = Field(None, ge=1, le=200)
    segment: Segment | None = None
    include_special: bool | None = None
    n: int | None = Field(None, ge=1, le=500)
    limit: int | None = Field(None, ge=1, le=1_000_000)
    offset: int | None = Field(None, ge=0, le=2**31)

    def query(self) -> RowQuery | TopQuery | None:
        """The filters as the query of what is downloaded; None for a whole run.

        Raises:
            InvalidArgument: a filter that does not apply to it.
        """
        given: dict[str, Any] = self.model_dump(exclude={"what", "format"}, exclude_unset=True)
        if self.what == "rows":
            return RowQuery.parse(given)
        if self.what == "top-features":
            return TopQuery.parse({"n": None} | given)
        if given:
            raise InvalidArgument(f"a whole run is not filtered: leave out {', '.join(given)}")
        return None


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


class NotesBody(BaseModel):
    """The run's notes, replaced as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notes: Annotated[str, BeforeValidator(_storable)] = Field(max_length=10_000, strict=True)
