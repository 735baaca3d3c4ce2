"""What REST answers about activation stores, as the OpenAPI document says it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class StoresBody(BaseModel):
    """The stores of this server."""

    items: list[str] = Field(description="ids, in alphabetical order")


class StoreHealthBody(BaseModel):
    """A store as it stands; while it fills, of what can be read."""

    store_id: str
    is_complete: bool = Field(description="only then are there statistics of all features")
    version: int
    n_tokens: int
    n_counted: int = Field(description="tokens that statistics count: not BOS, not special")
    n_documents: int
    nnz: int = Field(description="activations")
    l0: float = Field(description="activations per counted token")
    size_bytes: int
    has_vocabulary: bool = Field(description="whether tokens can be shown as text")
    spec: dict[str, Any] = Field(description="d_sae, model, SAE, hook, columns, layout")
    provenance: dict[str, Any] = Field(description="whatever the writer recorded")


class StoreFeatureRowBody(BaseModel):
    """One feature in numbers; null is what needs an activation, or is not known yet."""

    feature: int
    n: int | None = Field(description="activations")
    n_documents: int | None
    token_density: float | None
    document_density: float | None
    idf: float | None
    sum: float | None
    sum_squares: float | None
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    p01: float | None
    p05: float | None
    p10: float | None
    p25: float | None
    p50: float | None
    p75: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class StoreFeaturesBody(BaseModel):
    """A page of features."""

    items: list[StoreFeatureRowBody]
    total: int = Field(description="features that pass the filters")
    next_offset: int | None = Field(description="null on the last page")


class StoreContextBody(BaseModel):
    """Tokens around a position, of the same document unless asked otherwise."""

    position: int
    document: int
    start: int = Field(description="position of the first token")
    token_ids: list[int]
    tokens: list[str | None] = Field(description="what each reads as on its own")
    pieces: list[str] = Field(
        description="the characters that end in each token: joined they are `text`, also where a "
        "character is spread over tokens; empty without a vocabulary"
    )
    text: str | None
    values: list[float] | None = Field(description="of one feature at each token")


class StoreExampleBody(BaseModel):
    """An activation with the text around it."""

    value: float
    context: StoreContextBody


class ExampleIntervalBody(BaseModel):
    """Examples from one of the equal parts of the feature's values."""

    low: float
    high: float
    examples: list[StoreExampleBody]


class StoreHistogramBody(BaseModel):
    """`counts[i]` values from `edges[i]` to below `edges[i + 1]`."""

    edges: list[float]
    counts: list[int]


class StoreFeatureBody(BaseModel):
    """All that is known of one feature; defined in docs/statistics.md."""

    feature: int
    is_dead: bool
    is_final: bool = Field(description="false while the store fills")
    n: int
    n_documents: int
    token_density: float
    document_density: float
    idf: float | None
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    quantiles: dict[str, float] = Field(description="p01 to p99; empty for a dead feature")
    histogram: StoreHistogramBody
    log_histogram: StoreHistogramBody
    negative_log_histogram: StoreHistogramBody = Field(
        description="of the magnitudes of negative values"
    )
    top: list[StoreExampleBody]
    intervals: list[ExampleIntervalBody]


class ActivationsBody(BaseModel):
    """Activations by position: the same place in the three lists is one activation."""

    feature: int
    n: int = Field(description="of the feature in all, whatever the filters say")
    positions: list[int]
    values: list[float]
    documents: list[int]
    next_after: int | None = Field(description="`after` of the next page; null on the last")


class StoreTokenBody(BaseModel):
    """One token of the corpus."""

    position: int
    token_id: int
    text: str | None
    is_counted: bool
    starts_document: bool


class FiredFeatureBody(BaseModel):
    """A feature where it fires."""

    feature: int
    value: float


class TokenFeaturesBody(BaseModel):
    """What fires at one token, strongest first."""

    token: StoreTokenBody
    document: int
    n_features: int = Field(description="that fire, also those not listed")
    features: list[FiredFeatureBody]


class TokensFeaturesBody(BaseModel):
    """What fires at consecutive tokens."""

    items: list[TokenFeaturesBody]


class StoreDocumentBody(BaseModel):
    """One document of the corpus."""

    document: int
    name: str | None
    start: int = Field(description="position of its first token")
    n_tokens: int
    n_counted: int
    metadata: dict[str, Any]


class StoreDocumentsBody(BaseModel):
    """A page of documents."""

    items: list[StoreDocumentBody]
    total: int = Field(description="documents that pass the filter")
    next_offset: int | None = Field(description="null on the last page")


class DocumentPartBody(BaseModel):
    """A document with some of its tokens and what they read as together."""

    document: StoreDocumentBody
    tokens: list[StoreTokenBody]
    text: str | None
    next_offset: int | None = Field(description="null once its last token was given")


class DocumentFeatureBody(BaseModel):
    """A feature over the tokens of a document."""

    feature: int
    n: int = Field(description="tokens where it fires")
    sum: float
    max: float


class DocumentFeaturesBody(BaseModel):
    """The features that fire in a document."""

    items: list[DocumentFeatureBody]


class SearchMatchBody(BaseModel):
    """It begins in the token `start` and ends in the one before `stop`."""

    document: int
    start: int
    stop: int
    context: StoreContextBody


class SearchedFeatureBody(BaseModel):
    """A feature on the tokens that were found."""

    feature: int
    n: int = Field(description="found tokens where it fires")
    share: float = Field(description="of the found tokens that count")
    token_density: float = Field(description="of the whole store")
    lift: float = Field(description="share ÷ token_density")
    max: float = Field(description="on the found tokens")
    n_matches: int = Field(description="in which it fires")


class SearchBody(BaseModel):
    """Where a text stands, and the features that fire there, by lift."""

    n_matches: int
    n_tokens: int = Field(description="counted tokens of all matches, each once")
    searched: int = Field(description="tokens of the corpus that were looked at")
    next_start: int | None = Field(description="`start` to go on with; null at the end")
    matches: list[SearchMatchBody]
    features: list[SearchedFeatureBody]


class PartnerBody(BaseModel):
    """A feature that fires together with another."""

    feature: int
    count: int = Field(description="tokens where both fire")
    jaccard: float
    correlation: float | None


class CoactivationBody(BaseModel):
    """The features that fire together with one."""

    feature: int
    measure: str
    items: list[PartnerBody]


class BreakdownRowBody(BaseModel):
    """A feature in the documents with one value of a metadata column."""

    value: str | int | float | bool | None
    n_documents: int
    n_counted: int
    documents_fired: int
    n: int
    token_density: float
    document_density: float
    mean: float | None
    max: float | None


class BreakdownBody(BaseModel):
    """A feature by a metadata column, the highest density first."""

    feature: int
    column: str
    items: list[BreakdownRowBody]


class VocabBody(BaseModel):
    """Ids by text; of tokens that read the same, the first."""

    vocab: dict[str, int]


class InverseVocabBody(BaseModel):
    """Texts by id."""

    inv_vocab: dict[str, str]
