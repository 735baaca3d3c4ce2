"""What is read from an activation store, as it is listed and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """A store as it stands; while it fills, of what can be read."""

    store_id: str
    is_complete: bool  # only then are there statistics of all features
    version: int
    n_tokens: int
    n_counted: int  # of these, that statistics count
    n_documents: int
    nnz: int  # activations
    l0: float  # nnz / n_counted
    size_bytes: int
    has_vocabulary: bool
    spec: Mapping[str, Any]  # what `store.json` says, without the provenance
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoreSummary:
    """All features of a store in a few numbers."""

    n_features: int
    n_dead: int
    l0: float
    density_edges: tuple[float, ...]  # log10 of the share of counted tokens
    density_counts: tuple[int, ...]  # features; dead ones are left out


@dataclass(frozen=True, slots=True)
class FeaturesPage:
    """Some features; what is not known yet of a store that fills is None."""

    items: tuple[Mapping[str, Any], ...]  # scalar columns of docs/statistics.md
    total: int  # that pass the filters
    next_offset: int | None


@dataclass(frozen=True, slots=True)
class ActivationsPage:
    """Some activations of a feature, by position; `next_after` is None when there are no more."""

    feature: int
    n: int  # all of the feature, whatever the filters say
    positions: tuple[int, ...]
    values: tuple[float, ...]
    documents: tuple[int, ...]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class StoreToken:
    """One token of the corpus; what it reads as is None without a vocabulary."""

    position: int
    token_id: int
    text: str | None
    is_counted: bool
    starts_document: bool


@dataclass(frozen=True, slots=True)
class FiredFeature:
    """A feature where it fires."""

    feature: int
    value: float


@dataclass(frozen=True, slots=True)
class TokenFeatures:
    """What fires at one token, strongest first."""

    token: StoreToken
    document: int
    n_features: int  # that fire, also those not listed
    features: tuple[FiredFeature, ...]


@dataclass(frozen=True, slots=True)
class StoreContext:
    """Tokens around a position. `pieces` are the characters that end in each token: joined they
    are `text`, also where a character is spread over tokens.
    """

    position: int
    document: int
    start: int  # position of the first token
    token_ids: tuple[int, ...]
    tokens: tuple[str | None, ...]  # as the vocabulary shows them
    pieces: tuple[str, ...]  # empty without a vocabulary
    text: str | None
    values: tuple[float, ...] | None  # of the feature that was asked for, 0 where it is silent


@dataclass(frozen=True, slots=True)
class StoreExample:
    """An activation with the text around it."""

    value: float
    context: StoreContext


@dataclass(frozen=True, slots=True)
class StoreHistogram:
    """`counts[i]` values from `edges[i]` to below `edges[i + 1]`."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ExampleInterval:
    """Some activations of one of the equal parts of the feature's values."""

    low: float
    high: float
    examples: tuple[StoreExample, ...]


@dataclass(frozen=True, slots=True)
class StoreFeature:
    """All that is known of one feature; the definitions are in docs/statistics.md."""

    feature: int
    is_dead: bool
    is_final: bool  # False while the store fills
    n: int
    n_documents: int
    token_density: float
    document_density: float
    idf: float | None
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    quantiles: Mapping[str, float]
    histogram: StoreHistogram
    log_histogram: StoreHistogram
    negative_log_histogram: StoreHistogram
    top: tuple[StoreExample, ...]
    intervals: tuple[ExampleInterval, ...]


@dataclass(frozen=True, slots=True)
class StoreDocument:
    """One document of the corpus, as the store has it."""

    document: int
    name: str | None
    start: int
    n_tokens: int
    n_counted: int
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoreDocuments:
    """One page of documents."""

    items: tuple[StoreDocument, ...]
    total: int  # that pass the filter
    next_offset: int | None


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A document with some of its tokens and what they read as together."""

    document: StoreDocument
    tokens: tuple[StoreToken, ...]
    text: str | None
    next_offset: int | None  # counted from the document's first token


@dataclass(frozen=True, slots=True)
class SearchMatch:
    """A place where the text was found: it begins in the first of these tokens and ends in the
    last, `stop` being one after it.
    """

    document: int
    start: int
    stop: int
    context: StoreContext


@dataclass(frozen=True, slots=True)
class SearchedFeature:
    """A feature on the tokens that were found."""

    feature: int
    n: int  # found tokens where it fires
    share: float  # n ÷ found tokens that count
    token_density: float  # of the whole store
    lift: float  # share ÷ token_density
    max: float  # on the found tokens
    n_matches: int  # in which it fires


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a text search found; `next_start` is where to go on, None at the corpus' end."""

    n_matches: int
    n_tokens: int  # counted tokens of all matches, each once
    searched: int  # tokens of the corpus that were looked at
    next_start: int | None
    matches: tuple[SearchMatch, ...]
    features: tuple[SearchedFeature, ...]
