"""What REST takes and answers about the evidence of a feature, as the OpenAPI document says it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from services.runs.queries import FeatureId
from services.web.decoder_schemas import DecoderFeatureBody
from services.web.store_schemas import StoreExampleBody, StoreFeatureBody


class SaeFeaturePath(BaseModel):
    """A feature's address below its SAE's."""

    sae_id: str
    index: FeatureId


class BoundsBody(BaseModel):
    """The 95 % interval of an estimate."""

    low: float
    high: float


class SourceBody(BaseModel):
    """The store that the statements are made from."""

    store_id: str
    corpus_id: str
    corpus_name: str
    n_counted: int = Field(description="tokens")
    n_documents: int
    is_complete: bool
    metadata: list[str] = Field(description="columns of the documents")


class RegionBody(BaseModel):
    """Activations between two shares of the effective maximum, the 99.5th percentile."""

    name: str
    low: float
    high: float = Field(description="not included, but for the last region")
    n: int
    share: float


class WarningBody(BaseModel):
    """Why the evidence must be read with care."""

    code: str
    text: str


class FeatureViewBody(BaseModel):
    """One feature; what needs a store is null without."""

    sae_id: str
    feature_id: int
    model_id: str
    hook_name: str
    d_sae: int
    source: SourceBody | None
    known: StoreFeatureBody | None = Field(description="without examples")
    density: BoundsBody | None = Field(description="of token_density")
    document_density: BoundsBody | None
    mean: BoundsBody | None
    density_rank: int | None = Field(description="1: the densest of `n_live` features")
    n_live: int | None
    regions: list[RegionBody]
    warnings: list[WarningBody]
    previous: int | None = Field(description="the live feature before it")
    next: int | None


class EvidenceExampleBody(BaseModel):
    """An activation in its text."""

    example: StoreExampleBody
    document: str | None = Field(description="its name")
    metadata: dict[str, Any]
    special: list[bool] = Field(description="by token of the context: BOS and the like")


class ExamplesBody(BaseModel):
    """A page of a feature's activations."""

    items: list[EvidenceExampleBody]
    total: int = Field(description="activations that pass, on all pages")
    next_cursor: str | None


class ScoredTokenBody(BaseModel):
    """A token with a score."""

    token_id: int
    text: str
    score: float
    count: int


class EvidenceIntervalBody(BaseModel):
    """One range of a feature's activations."""

    low: float
    high: float
    n: int
    examples: list[EvidenceExampleBody] = Field(description="drawn at random, strongest first")
    tokens: list[ScoredTokenBody] = Field(description="of the examples, by TF-IDF")


class IntervalsBody(BaseModel):
    """Equal parts of the range of activations, the strongest first."""

    items: list[EvidenceIntervalBody]


class RelatedFeatureBody(BaseModel):
    """Another feature, and how it is related."""

    feature_id: int
    value: float = Field(description="cosine, count, jaccard or correlation")
    count: int | None = Field(description="tokens on which both fire")
    expected: float | None = Field(description="if they were independent")
    label: str | None
    n: int | None
    top_tokens: list[str]


class RelatedBody(BaseModel):
    """Related features, the most related first."""

    by: Literal["cosine", "count", "jaccard", "correlation"]
    items: list[RelatedFeatureBody]


class TokenUseBody(BaseModel):
    """A token at, before or after activations."""

    token_id: int
    text: str
    count: int
    share: float = Field(description="of the feature's activations")
    mean: float = Field(description="of these activations")
    fires: float | None = Field(description="share of the token's places where it fires")
    lift: float | None = Field(description="share ÷ the token's share of the corpus")


class FeatureTokensBody(BaseModel):
    """Which tokens a feature is about."""

    n: int
    n_read: int
    at: list[TokenUseBody]
    before: list[TokenUseBody]
    after: list[TokenUseBody]
    page_rank: list[ScoredTokenBody]
    n_ranked: int = Field(description="activations whose contexts PageRank is about")


class MetadataGroupBody(BaseModel):
    """A feature within the documents that share a value of a metadata column."""

    value: Any
    n_documents: int
    documents_fired: int
    n_counted: int
    n: int
    density: float
    lift: float | None = Field(description="density ÷ density in the whole corpus")
    lift_bounds: BoundsBody | None
    mean: float | None
    max: float | None


class FeatureBreakdownBody(BaseModel):
    """The values of a metadata column, the highest density first."""

    column: str
    items: list[MetadataGroupBody]


class LogitsBody(DecoderFeatureBody):
    """Logit weights and nearest directions."""
