"""What may be asked about runs: validated parameters, the same for pages, REST and command line."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from services.runs.request import ModelId
from services.text import storable
from services.types import RunStatus, Segment
from services.validation import invalid

MAX_AUTHOR = 100  # characters of a name


def _name(value: Any) -> Any:
    return storable(value).strip() or None if isinstance(value, str) else value


FeatureId = Annotated[int, Field(ge=0, lt=2**31)]
Position = Annotated[int, Field(ge=0, lt=2**31)]
Author = Annotated[  # of a label, a view, a probe; None, and blank: ACTISCOPE_USER
    Annotated[str, Field(max_length=MAX_AUTHOR)] | None, BeforeValidator(_name)
]
RowSort = Literal[
    "step", "token_position", "token_id", "sae_id", "feature_id", "activation_value", "rank"
]


class Query(BaseModel):
    """Base of all queries: frozen, no unknown fields, one kind of error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, values: Any) -> Self:
        """The query, or `InvalidArgument` that names each wrong parameter."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise invalid(error) from None


class Parameters(Query):
    """A query that comes as parameters of an address, where an empty value means none."""

    @model_validator(mode="before")
    @classmethod
    def _empty_is_none(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if value != ""}
        return values


class RunQuery(Parameters):
    """Which runs to list, newest first."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before")
    status: RunStatus | None = None
    model_id: ModelId | None = None
    sae_id: ModelId | None = None
    sae_enabled: bool | None = None
    text: str | None = Field(None, max_length=500, description="part of the prompt, any case")
    feature_id: FeatureId | None = Field(None, description="runs in which it fired; needs sae_id")
    min_activation: float | None = Field(None, description="… above this value")


class RowQuery(Parameters):
    """Which activation rows of a run; without filters all of them."""

    sae_id: ModelId | None = None
    sae_layer: int | None = Field(None, ge=0)
    feature_id: FeatureId | None = None
    token_start: Position | None = Field(None, description="first position, inclusive")
    token_end: Position | None = Field(None, description="last position, inclusive")
    rank_max: int | None = Field(None, ge=1, le=200)
    segment: Segment | None = None
    include_special: bool = Field(True, description="false leaves BOS and template tokens out")
    limit: int | None = Field(None, ge=1, le=1_000_000)
    offset: int = Field(0, ge=0, le=2**31)
    sort: RowSort = "token_position"
    descending: bool = False


class TopQuery(Parameters):
    """Which features to rank, over which positions."""

    sae_id: ModelId | None = None
    n: int | None = Field(50, ge=1, le=500, description="None for all of them")
    segment: Segment | None = None
    include_special: bool = Field(False, description="true counts BOS and template tokens too")


class DeltaQuery(Parameters):
    """One feature, followed over the positions of a run."""

    feature_id: FeatureId
    sae_id: ModelId | None = None
    sae_layer: int | None = Field(None, ge=0)
    baseline: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        None, description="a run to compare with, token by aligned token"
    )
    limit: int | None = Field(None, ge=1, le=1_000_000)


class ExtractRequest(Query):
    """Token ids in, features out; nothing is stored."""

    token_ids: Annotated[
        list[Annotated[int, Field(ge=0, lt=2**31, strict=True)]],
        Field(min_length=1, max_length=100_000),
    ]
    model_id: ModelId | None = None
    sae_ids: tuple[ModelId, ...] | None = Field(None, max_length=50)
    sae_id: ModelId | None = None
    sae_layer: int | None = Field(None, ge=0, strict=True)
    top_k: int = Field(20, ge=1, le=200, strict=True)
