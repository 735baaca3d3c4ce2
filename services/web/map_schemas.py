"""What REST takes and answers about comparisons, maps and families."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from services.comparison.requests import CompareQuery
from services.maps.requests import MapOptions, Text
from services.runs.queries import Author, Parameters
from services.stores.requests import StoreId
from services.web.evidence_schemas import EvidenceExampleBody, FeatureViewBody
from services.web.parameters import SaePath
from services.web.store_schemas import StoreHistogramBody


class KeptPath(SaePath):
    """A kept set of families."""

    set_id: str


class CompareParameters(CompareQuery):
    """Two to six features, and in which form they are answered."""

    format: Literal["json", "markdown"] = "json"


class MapParameters(MapOptions, Parameters):
    """Which map."""

    format: Literal["json", "arrow"] = "json"


class ColourParameters(Parameters):
    """What the points are coloured by."""

    by: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")] = Field(
        "token_density", description="a column of numbers of the table, category, source, "
        "starred, labelled or family",
    )  # fmt: skip
    store_id: StoreId | None = None
    threshold: float = Field(0.7, ge=0, le=1, description="of families")


class SizesParameters(Parameters):
    """Which families."""

    threshold: float = Field(0.7, ge=0, le=1, description="least cosine of two neighbours")
    min_size: int = Field(2, ge=2, le=100_000, description="smaller families are left out")


class FamiliesParameters(SizesParameters):
    """Which families, and in which form."""

    format: Literal["json", "csv"] = "json"


class KeptParameters(Parameters):
    """In which form."""

    format: Literal["json", "csv"] = "json"


class KeepBody(SizesParameters):
    """Families to be kept under a name."""

    name: Annotated[Text, StringConstraints(max_length=200)]
    author: Author = Field(None, description="default: ACTISCOPE_USER")


class ComparedTokenBody(BaseModel):
    """A token with a score and how often it was counted."""

    token_id: int
    text: str
    score: float = Field(description="logit weight; of distinguishing tokens z of the log-odds")
    count: int = Field(description="activations of the feature at it, or members of the family")


class ComparedFeatureBody(BaseModel):
    """One of the compared features."""

    sae_id: str
    feature_id: int
    view: FeatureViewBody
    label: str | None
    promoted: list[ComparedTokenBody]
    suppressed: list[ComparedTokenBody]
    distinguishing: list[ComparedTokenBody] = Field(
        description="tokens that it fires on and the others do not"
    )
    histogram: StoreHistogramBody | None = Field(description="over the same edges for all")


class SharedExampleBody(BaseModel):
    """A token at which several of them fire."""

    position: int
    values: list[float | None] = Field(description="by feature; null: of other tokens")
    score: float
    example: EvidenceExampleBody


class ComparisonBody(BaseModel):
    """Features side by side; matrices are by row and column of `features`."""

    features: list[ComparedFeatureBody]
    cosine: list[list[float | None]] = Field(description="of decoder directions")
    jaccard: list[list[float | None]]
    correlation: list[list[float | None]]
    count: list[list[int | None]] = Field(description="tokens at which both fire")
    shared: list[SharedExampleBody]
    notes: list[str] = Field(description="what is not compared, and why")
    same_tokens: list[list[bool]]


class FeatureMapBody(BaseModel):
    """Where features lie; lists are by `features`."""

    map_id: str
    sae_id: str
    method: str
    features: list[int]
    x: list[float]
    y: list[float]
    explained: list[float] | None = Field(description="shares of the variance, PCA only")
    parameters: dict[str, Any]


class MapColoursBody(BaseModel):
    """What each feature is coloured by."""

    name: str
    title: str
    kind: str = Field(description="number, or group: an index into `groups`, -1 for none")
    values: list[float | None] = Field(description="by feature of the SAE")
    groups: list[str]
    is_log: bool


class FamilySizesBody(BaseModel):
    """How many families there are, and how large."""

    threshold: float
    n_families: int
    n_features: int = Field(description="in one of them")
    n_alone: int
    largest: int
    median: float | None
    by_size: dict[str, int] = Field(description="families by number of features")


class FamilyBody(BaseModel):
    """Features that write nearly the same."""

    number: int
    features: list[int]
    cohesion: float = Field(description="mean cosine with their mean direction")
    tokens: list[ComparedTokenBody] = Field(description="that most members promote")


class FamilySetBody(BaseModel):
    """All families by one choice of parameters."""

    set_id: str | None
    sae_id: str
    name: str | None
    parameters: dict[str, Any]
    families: list[FamilyBody]
    n_alone: int
    author: str | None
    created_at: str | None


class KeptFamiliesBody(BaseModel):
    """A kept set, as it is listed."""

    set_id: str
    sae_id: str
    name: str
    parameters: dict[str, Any]
    n_families: int
    n_features: int
    author: str
    created_at: str


class KeptSetsBody(BaseModel):
    """The kept sets of an SAE."""

    items: list[KeptFamiliesBody] = Field(description="newest first")
