"""What REST takes and answers about labels, as the OpenAPI document says it."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.labels.requests import Format, LabelId, Mode, Reason
from services.runs.queries import Author, FeatureId, Parameters
from services.stores.requests import StoreId
from services.web.parameters import SaePath


class LabelPath(BaseModel):
    """A label's address."""

    label_id: str = Field(max_length=64)


class LabelledFeaturePath(SaePath):
    """A feature's address below its SAE's."""

    index: FeatureId


class AuthorParameters(Parameters):
    """Who says so."""

    author: Author = Field(None, description="default: ACTISCOPE_USER")


class LabelsParameters(Parameters):
    """A page of the features that something is said of."""

    limit: int = Field(100, ge=1, le=500)
    after: FeatureId | None = Field(None, description="`next_after` of the page before")


class LabelExportParameters(Parameters):
    """In which format."""

    format: Format = "csv"


class StatusParameters(Parameters):
    """By which store."""

    store_id: StoreId | None = Field(None, description="default: the newest readable")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MarksBody(_Body):
    """Star or skip of a feature; what is not given stays, a null skip ends it."""

    star: bool | None = None
    skip: Reason | None = None
    author: Author = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.star is None and "skip" not in self.model_fields_set:
            raise ValueError("give star or skip")
        return self


class ImportBody(_Body):
    """A file of labels: its text, or the id of an upload (`POST /api/v1/corpora/uploads`)."""

    content: str | None = Field(None, max_length=2**21, strict=True)
    upload_id: str | None = Field(None, pattern=r"^[0-9a-f]{32}$")
    mode: Mode = Field("stop", description="at an entry that cannot be used: stop, or skip it")
    dry_run: bool = Field(False, description="only look what would be done")
    author: Author = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.content is None) == (self.upload_id is None):
            raise ValueError("give either content or upload_id")
        return self


class UndoBody(_Body):
    """What to take back: a batch as a whole, or one change."""

    batch_id: LabelId | None = None
    change_id: int | None = Field(None, ge=1, lt=2**63)
    author: Author = None


class LabelBody(BaseModel):
    """One label of a feature."""

    label_id: str
    sae_id: str
    feature_id: int
    text: str
    category: str | None
    notes: str = Field(description="Markdown")
    confidence: float | None
    source: Literal["human", "automatic", "imported"]
    source_name: str | None
    author: str
    created_at: str
    updated_at: str
    extra: dict[str, Any] = Field(
        description="fields of an imported file without a place here; empty in lists of features"
    )


class FeatureMarksBody(BaseModel):
    """What is said of a feature: its chosen label and marks."""

    feature_id: int
    label: LabelBody | None
    n_labels: int
    is_starred: bool
    skipped: str | None = Field(description="why nobody should label it now")


class LabelsBody(BaseModel):
    """Some of the features that something is said of, by number."""

    items: list[FeatureMarksBody]
    total: int
    revision: int = Field(description="grows with every change")
    next_after: int | None


class ChangeBody(BaseModel):
    """An entry of the history."""

    change_id: int
    batch_id: str = Field(description="changes made together, which are undone together")
    sae_id: str
    feature_id: int
    at: str
    author: str
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    is_undone: bool


class HistoryBody(BaseModel):
    """A page of the history, newest first."""

    items: list[ChangeBody]
    next_cursor: str | None


class FeatureLabelsBody(FeatureMarksBody):
    """All labels of a feature, the chosen one first, and the newest of its history."""

    labels: list[LabelBody]
    history: list[ChangeBody]


class BulkReportBody(BaseModel):
    """What was changed together."""

    batch_id: str | None = Field(description="undoes it; null when nothing was changed")
    n: int = Field(description="features")


class LabelStatusBody(BaseModel):
    """How far the labelling of an SAE is."""

    sae_id: str
    n_features: int
    n_live: int | None
    n_labelled: int
    n_starred: int
    n_skipped: int
    n_disagreeing: int = Field(description="features whose labels differ")
    by_source: dict[str, int]
    by_category: dict[str, int]


class QueueBody(BaseModel):
    """The feature to label next; all null when none is left."""

    feature_id: int | None
    reason: str | None
    n_left: int
    marks: FeatureMarksBody | None


class ImportProblemBody(BaseModel):
    """An entry that was left out."""

    place: str
    reason: str


class ImportReportBody(BaseModel):
    """What an import did, or would do."""

    format: str
    sae_id: str
    n_labels: int
    n_added: int
    n_known: int = Field(description="there already, word for word")
    n_skipped: int
    problems: list[ImportProblemBody]
    batch_id: str | None = Field(description="undoes the whole import")
