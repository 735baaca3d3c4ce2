"""What may be asked of a store: validated, the same for pages, REST and the command line."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from services.runs.queries import FeatureId, Parameters
from services.store.features import SCALARS
from services.store.statistics.coactivation import Measure
from services.stores.filters import Filtered, Selecting
from services.stores.ranges import Range, parse_ranges
from services.text import storable

STORE_ID = r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,199}$"

StoreId = Annotated[str, StringConstraints(pattern=STORE_ID)]
TokenPosition = Annotated[int, Field(ge=0, lt=2**32)]
Width = Annotated[int, Field(ge=0, le=512, description="tokens on each side")]


class ActivationsQuery(Selecting):
    """Activations by position, a page at a time; or some of all of them at random."""

    limit: int = Field(1000, ge=1, le=10_000)
    after: TokenPosition | None = Field(None, description="`next_after` of the page before")
    sample: int | None = Field(None, ge=1, le=10_000, description="so many at random instead")
    seed: int = Field(0, ge=0, lt=2**63, description="the same seed gives the same sample")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.sample is not None and self.model_fields_set & {"limit", "after"}:
            raise ValueError("a sample has no pages: leave out limit and after")
        return self


class ArrowQuery(Selecting):
    """All activations that are selected, as an Arrow stream."""

    sample: int | None = Field(None, ge=1, description="so many at random instead of all")
    seed: int = Field(0, ge=0, lt=2**63, description="the same seed gives the same sample")
    documents: bool = Field(False, description="a third column: the document of each activation")


Scalar = Literal[
    "feature", "n", "n_documents", "token_density", "document_density", "idf", "sum",
    "sum_squares", "min", "max", "mean", "std", "p01", "p05", "p10", "p25", "p50", "p75", "p90",
    "p95", "p99",
]  # fmt: skip


class StoreFeaturesQuery(Parameters):
    """A page of per-feature statistics, or the whole table."""

    sort: Scalar = Field("feature", description="what is not there comes last")
    descending: bool = False
    range: str | None = Field(
        None,
        max_length=1000,
        description="bounds, separated by commas, both included: token_density:0.001..0.1,n:100..",
    )
    dead: bool | None = Field(None, description="true: only features that never fire; false: not")
    limit: int = Field(100, ge=1, le=500)
    offset: int = Field(0, ge=0, lt=2**31)
    format: Literal["json", "arrow", "csv"] = Field(
        "json", description="arrow: the whole table; csv: its numbers, without the lists"
    )

    @field_validator("range")
    @classmethod
    def _can_be_read(cls, text: str | None) -> str | None:
        parse_ranges(text, SCALARS)
        return text

    @model_validator(mode="after")
    def _whole_or_page(self) -> Self:
        if self.format != "json" and (given := self.model_fields_set - {"format"}):
            raise ValueError(
                f"format={self.format} is the whole table: leave out {', '.join(given)}"
            )
        return self

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The bounds of each column."""
        return parse_ranges(self.range, SCALARS)


class StoreFeatureQuery(Parameters):
    """One feature, with examples in their context."""

    examples: int = Field(32, ge=0, le=100, description="at most so many of the strongest ones")
    per_interval: int = Field(5, ge=0, le=5, description="at most so many of each interval")
    width: Width = 10


class TokensQuery(Parameters):
    """What fires at a token and at those after it."""

    count: int = Field(1, ge=1, le=512, description="so many tokens")
    top: int = Field(50, ge=1, le=1000, description="at most so many features of each")


class ContextQuery(Parameters):
    """The text around a token."""

    width: Width = 20
    across: bool = Field(False, description="go on beyond the ends of the document")
    feature: FeatureId | None = Field(None, description="also its value at each of the tokens")


class DocumentsQuery(Filtered):
    """Documents in order, a page at a time."""

    limit: int = Field(50, ge=1, le=500)
    offset: int = Field(0, ge=0, lt=2**32)


class DocumentQuery(Parameters):
    """Some tokens of a document."""

    offset: int = Field(0, ge=0, lt=2**32, description="from this token of the document on")
    limit: int = Field(256, ge=1, le=4096)


class DocumentFeaturesQuery(Parameters):
    """The features that fire in a document."""

    sort: Literal["max", "n", "sum"] = "max"
    limit: int = Field(100, ge=1, le=500)


class TextQuery(Parameters):
    """A text in the corpus, found on its tokens."""

    text: Annotated[str, BeforeValidator(lambda v: storable(v) if isinstance(v, str) else v)] = (
        Field(min_length=1, max_length=500, description="exactly as it stands in the corpus")
    )
    case_sensitive: bool = Field(False, description="false: a and A are the same, for A to Z")
    limit: int = Field(20, ge=1, le=200, description="matches that are shown")
    width: Width = 10
    features: int = Field(50, ge=0, le=500, description="features that are listed")
    min_n: int | None = Field(
        None,
        ge=1,
        description="list features that fire on at least so many of the found tokens; default: a "
        "twentieth of them, at least two",
    )
    start: TokenPosition = Field(0, description="`next_start` of the search before")


class CoactivationQuery(Parameters):
    """The features that fire together with one."""

    measure: Measure = "count"
    top: int = Field(20, ge=1, le=500)


class BreakdownQuery(Parameters):
    """A feature by a metadata column."""

    column: str = Field(min_length=1, max_length=200)
    limit: int = Field(100, ge=1, le=1000, description="values with the highest density")


class VocabularyQuery(Parameters):
    """All tokens."""

    format: Literal["json", "arrow"] = Field("json", description="arrow: with the bytes of each")
