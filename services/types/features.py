"""What is known of the features of an SAE: table, evidence of one, comparisons, maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.types.labels import FeatureMarks
from services.types.stores import StoreExample, StoreFeature, StoreHistogram


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column of the table of features."""

    name: str  # as queries and exports have it
    title: str
    kind: Literal["number", "text", "flag"]
    definition: str  # one sentence
    is_sortable: bool = True
    needs: Literal["store", "decoder", "query"] | None = None  # without it, it is empty


@dataclass(frozen=True, slots=True)
class EvidenceSource:
    """The store that statements about features are made from."""

    store_id: str
    corpus_id: str
    corpus_name: str
    n_counted: int  # tokens
    n_documents: int
    is_complete: bool
    metadata: tuple[str, ...]  # columns of the documents


@dataclass(frozen=True, slots=True)
class FeatureLine:
    """One line of the table of features; what is not known is None or empty."""

    feature_id: int
    marks: FeatureMarks
    statistics: Mapping[str, float | None]  # scalar columns of docs/statistics.md, by name
    top_tokens: tuple[str, ...]  # that it fires on most strongly, each once
    example: str | None  # the text around its strongest activation
    promoted: tuple[str, ...]  # tokens with the largest logit weights
    fires: float | None = None  # its largest activation on the text that was asked for
    example_mark: tuple[int, int] | None = None  # the characters of `example` at which it fires


@dataclass(frozen=True, slots=True)
class FeatureTablePage:
    """Some lines of the table."""

    sae_id: str
    source: EvidenceSource | None  # None: the SAE has read no corpus yet
    items: tuple[FeatureLine, ...]
    total: int  # that pass the filters
    n_features: int  # of the SAE
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """The 95 % interval of an estimate; how it is computed is in docs/statistics.md."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FeatureWarning:
    """Why the evidence of a feature must be read with care; computed, never guessed."""

    code: str  # few_examples | mostly_low | one_position | one_token | one_document | dense | dead
    text: str  # the whole sentence, with the numbers it follows from


@dataclass(frozen=True, slots=True)
class ActivationRegion:
    """Activations between two shares of the effective maximum."""

    name: str  # floor | low | below core | core | high | peak
    low: float  # activation
    high: float
    n: int
    share: float  # of all activations


@dataclass(frozen=True, slots=True)
class FeatureView:
    """One feature as its page shows it; `known` and what follows from it need a store."""

    sae_id: str
    feature_id: int
    model_id: str
    hook_name: str
    d_sae: int
    source: EvidenceSource | None
    known: StoreFeature | None  # without examples
    density: Bounds | None  # of token_density
    document_density: Bounds | None
    mean: Bounds | None
    density_rank: int | None  # 1: the densest feature; of `n_live`
    n_live: int | None
    regions: tuple[ActivationRegion, ...]
    warnings: tuple[FeatureWarning, ...]
    previous: int | None  # the live features beside it; any features without a store
    next: int | None


@dataclass(frozen=True, slots=True)
class EvidenceExample:
    """An activation in its text, with where it stands."""

    example: StoreExample
    document: str | None  # its name
    metadata: Mapping[str, Any]
    special: tuple[bool, ...]  # by token of the context: BOS and the like, to be masked


@dataclass(frozen=True, slots=True)
class ExamplesPage:
    """Some examples; `total` is how many activations the selection has."""

    items: tuple[EvidenceExample, ...]
    total: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A token with a score and how often it was counted."""

    token_id: int
    text: str
    score: float
    count: int


@dataclass(frozen=True, slots=True)
class EvidenceInterval:
    """One range of a feature's activations: how many there are, some of them, their tokens."""

    low: float
    high: float
    n: int
    examples: tuple[EvidenceExample, ...]
    tokens: tuple[ScoredToken, ...]  # by TF-IDF of the examples' contexts


@dataclass(frozen=True, slots=True)
class RelatedFeature:
    """Another feature of the same SAE, and how it is related."""

    feature_id: int
    value: float  # cosine, Jaccard, correlation or count, as was asked
    count: int | None  # tokens on which both fire
    expected: float | None  # if they were independent: n·n' / N
    label: str | None
    n: int | None
    top_tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TokenUse:
    """A token at, before or after a feature's activations."""

    token_id: int
    text: str
    count: int  # activations
    share: float  # of the feature's activations
    mean: float  # of those activations
    fires: float | None  # share of all places of this token at which the feature fires
    lift: float | None  # share ÷ the token's share of the corpus; None where it never counts


@dataclass(frozen=True, slots=True)
class FeatureTokens:
    """Which tokens a feature is about; from all its activations unless `n_read` says otherwise."""

    n: int
    n_read: int
    at: tuple[TokenUse, ...]
    before: tuple[TokenUse, ...]
    after: tuple[TokenUse, ...]
    page_rank: tuple[ScoredToken, ...]
    n_ranked: int  # activations whose contexts the graph is made of


@dataclass(frozen=True, slots=True)
class MetadataGroup:
    """A feature within the documents that share a value of a metadata column."""

    value: Any
    n_documents: int
    documents_fired: int
    n_counted: int
    n: int
    density: float
    lift: float | None  # density ÷ density in the whole corpus
    lift_bounds: Bounds | None
    mean: float | None
    max: float | None


@dataclass(frozen=True, slots=True)
class TestedToken:
    """A token of somebody's own text with a feature's activation."""

    __test__ = False  # pytest would collect it by its name

    token_id: int
    text: str
    is_special: bool
    value: float
    piece: str = ""  # the characters that end in it


@dataclass(frozen=True, slots=True)
class TestedText:
    """A feature on somebody's own text, through the resident model."""

    __test__ = False

    sae_id: str
    feature_id: int
    text: str
    tokens: tuple[TestedToken, ...]
    max: float  # over the tokens that are not special; of negative ones the furthest from 0
    argmax: int | None  # None where it does not fire
    has_bos: bool = False  # the model read BOS in front
    has_template: bool = False  # and the text inside its chat template


@dataclass(frozen=True, slots=True)
class Probe:
    """A kept text that should, or should not, make a feature fire."""

    probe_id: str
    sae_id: str
    feature_id: int
    text: str
    should_fire: bool
    max: float | None  # as last measured
    is_current: bool  # measured with the weights there are now
    author: str
    created_at: Any


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """A feature's probes, and how well 'fires above the threshold' tells them apart."""

    probes: tuple[Probe, ...]
    threshold: float
    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int
    precision: float | None  # None where nothing fires
    recall: float | None  # None where nothing should fire


@dataclass(frozen=True, slots=True)
class ComparedFeature:
    """One of the features that are compared."""

    sae_id: str
    feature_id: int
    view: FeatureView
    label: str | None
    promoted: tuple[ScoredToken, ...]  # by logit weight; the count is 0
    suppressed: tuple[ScoredToken, ...]
    distinguishing: tuple[ScoredToken, ...]  # tokens that this one fires on and the others do not
    histogram: StoreHistogram | None = None  # over the same edges for all that are compared


@dataclass(frozen=True, slots=True)
class SharedExample:
    """A token on which several of the compared features fire."""

    position: int
    values: tuple[float | None, ...]  # by compared feature; 0: silent; None: of other tokens
    score: float  # the k-th largest of values ÷ the feature's largest, k as was asked
    example: EvidenceExample


@dataclass(frozen=True, slots=True)
class FeatureComparison:
    """2 to 6 features side by side; matrices are by row and column of `features`."""

    features: tuple[ComparedFeature, ...]
    cosine: tuple[tuple[float | None, ...], ...]  # of decoder directions; None: other spaces
    jaccard: tuple[tuple[float | None, ...], ...]  # of the tokens they fire on; None: other corpora
    correlation: tuple[tuple[float | None, ...], ...]
    count: tuple[tuple[int | None, ...], ...]  # tokens on which both fire; n on the diagonal
    shared: tuple[SharedExample, ...]
    notes: tuple[str, ...]  # why something is not compared
    same_tokens: tuple[tuple[bool, ...], ...] = ()  # whether two were read from the same tokens


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """Where an SAE's features lie by their decoder directions; arrays are by feature."""

    map_id: str
    sae_id: str
    method: str  # pca | umap
    features: Any  # int32 [n]: those that have a direction
    x: Any  # float32 [n]
    y: Any  # float32 [n]
    explained: tuple[float, float] | None  # share of variance, PCA only
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MapColours:
    """What each feature of an SAE is coloured by; arrays are by feature id."""

    name: str
    title: str
    kind: str  # number | group
    values: Any  # float64 [d_sae], NaN where unknown; of groups the index into `groups`, or -1
    groups: tuple[str, ...] = ()
    is_log: bool = False  # shown by its logarithm


@dataclass(frozen=True, slots=True)
class FamilySizes:
    """How many families there are at a threshold, and how large they are."""

    threshold: float
    n_families: int
    n_features: int  # in one of them
    n_alone: int
    largest: int
    median: float | None
    by_size: Mapping[int, int]  # families by number of features


@dataclass(frozen=True, slots=True)
class FeatureFamily:
    """Features that write nearly the same, with the tokens that make them a family."""

    number: int
    features: tuple[int, ...]
    cohesion: float  # mean cosine of the members' directions with their mean direction
    tokens: tuple[ScoredToken, ...]


@dataclass(frozen=True, slots=True)
class FamilySet:
    """All families of an SAE by one choice of parameters; `set_id` once it is kept."""

    set_id: str | None
    sae_id: str
    name: str | None
    parameters: Mapping[str, Any]
    families: tuple[FeatureFamily, ...]
    n_alone: int  # features in no family
    author: str | None = None  # who kept it
    created_at: Any = None


@dataclass(frozen=True, slots=True)
class KeptFamilies:
    """A kept set of families, as it is listed."""

    set_id: str
    sae_id: str
    name: str
    parameters: Mapping[str, Any]
    n_families: int
    n_features: int
    author: str
    created_at: Any
