"""What may be said and asked about labels: the same for pages, REST and command line."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from services.runs.queries import Author, FeatureId, Parameters, Query
from services.stores.requests import StoreId
from services.text import storable
from services.types.labels import LabelSource

MAX_TEXT, MAX_CATEGORY, MAX_NOTES, MAX_NAME, MAX_REASON = 500, 100, 20_000, 200, 500
MAX_FEATURES = 2**20  # of one bulk edit

Action = Literal[
    "add", "edit", "remove", "choose", "star", "unstar", "skip", "unskip", "import", "undo"
]
Format = Literal["csv", "json", "neuronpedia", "saelens", "splatnlp"]
Mode = Literal["stop", "skip"]
Order = Literal["n", "density", "max", "random", "disagreement", "family"]


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


def _blank_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


_Safe = BeforeValidator(_storable)
SaeId = Annotated[str, _Safe, Field(min_length=1, max_length=512)]
LabelId = Annotated[str, _Safe, Field(min_length=1, max_length=64)]
Text = Annotated[str, _Safe, Field(max_length=MAX_TEXT), AfterValidator(_not_blank)]
Category = Annotated[
    Annotated[str, Field(max_length=MAX_CATEGORY)] | None, _Safe, BeforeValidator(_blank_is_none)
]
Notes = Annotated[str, _Safe, Field(max_length=MAX_NOTES)]
SourceName = Annotated[
    Annotated[str, Field(max_length=MAX_NAME)] | None, _Safe, BeforeValidator(_blank_is_none)
]
Reason = Annotated[str, _Safe, Field(max_length=MAX_REASON), AfterValidator(_not_blank)]
Confidence = Annotated[float, Field(ge=0, le=1)]

_author = Field(None, description="who says so; default: ACTISCOPE_USER")


class NewLabel(Query):
    """A label as somebody gives it."""

    text: Text
    category: Category = None
    notes: Notes = Field("", description="Markdown")
    confidence: Confidence | None = None
    source: LabelSource = LabelSource.HUMAN
    source_name: SourceName = Field(None, description="the model, or what was imported")
    choose: bool = Field(False, description="in place of the label that is chosen now")
    author: Author = _author


class AddLabel(NewLabel):
    """A label for a feature; the first one of a feature is chosen by itself."""

    sae_id: SaeId
    feature_id: FeatureId


class LabelEdit(Query):
    """What a label becomes; what is not given stays."""

    text: Text | None = None
    category: Category = None
    notes: Notes | None = None
    confidence: Confidence | None = None
    source: LabelSource | None = None
    source_name: SourceName = None
    author: Author = _author
    if_updated_at: datetime | None = Field(
        None, description="refuse with 409 when the label was changed after this time"
    )

    @model_validator(mode="after")
    def _not_none(self) -> Self:
        for name in ("text", "notes", "source"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        if self.if_updated_at is not None and self.if_updated_at.tzinfo is None:
            raise ValueError("if_updated_at needs its time zone")
        return self

    def values(self) -> dict[str, Any]:
        """The fields that were given."""
        given = self.model_fields_set - {"author", "if_updated_at", "label_id"}
        return {name: getattr(self, name) for name in given}


class EditLabel(LabelEdit):
    """What a label becomes."""

    label_id: LabelId


class BulkChange(Query):
    """One thing to be done to many features, undone as one."""

    feature_ids: tuple[FeatureId, ...] = Field(min_length=1, max_length=MAX_FEATURES)
    add: Text | None = Field(None, description="a label that each of them gets")
    category: Category = Field(None, description="of the chosen labels; null takes it away")
    confidence: Confidence | None = Field(None, description="of the chosen labels")
    star: bool | None = None
    skip: Reason | None = None
    unskip: bool = False
    remove: Literal["chosen", "all"] | None = Field(None, description="labels")
    author: Author = _author

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        done = self.model_fields_set - {"feature_ids", "author", "sae_id"}
        if not done:
            raise ValueError("say what to do: add, category, confidence, star, skip or remove")
        if self.skip is not None and self.unskip:
            raise ValueError("skip and unskip contradict each other")
        if self.remove is not None and {"category", "confidence"} & done and self.add is None:
            raise ValueError("labels that are removed cannot get a category or confidence")
        return self


class BulkEdit(BulkChange):
    """One thing to be done to many features of an SAE."""

    sae_id: SaeId


class HistoryParameters(Parameters):
    """Which changes, newest first."""

    feature_id: FeatureId | None = None
    author: Author = None
    action: Action | None = None
    batch_id: LabelId | None = None
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(None, max_length=40, description="`next_cursor` of the page before")


class HistoryQuery(HistoryParameters):
    """Which changes of an SAE's labels, newest first."""

    sae_id: SaeId


class QueueParameters(Parameters):
    """Which feature to label next."""

    order: Order = Field(
        "n",
        description="most activations, densest, strongest, by chance, whose labels differ, or "
        "one of each family in turn",
    )
    seed: int = Field(0, ge=0, lt=2**63)
    include_labelled: bool = False
    after: FeatureId | None = Field(None, description="the one that follows this in the order")
    store_id: StoreId | None = Field(None, description="default: the newest readable")


class QueueQuery(QueueParameters):
    """Which feature of an SAE to label next."""

    sae_id: SaeId
