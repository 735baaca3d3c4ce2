"""What may be asked of the evidence about a feature: the same for pages, REST, command line."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from services.runs.queries import FeatureId, Parameters
from services.runs.request import ModelId
from services.stores.filters import Filtered
from services.stores.requests import StoreId, Width

Order = Literal["strongest", "weakest", "random"]
Relation = Literal["cosine", "count", "jaccard", "correlation"]


class ViewParameters(Parameters):
    """From which store; by default the SAE's newest one, complete ones first."""

    store_id: StoreId | None = Field(None, description="default: the newest of the SAE's")


class ExamplesParameters(ViewParameters, Filtered):
    """Which activations of a feature, in which order."""

    low: float | None = Field(None, description="at least this value")
    high: float | None = Field(
        None, description="below this value; the feature's largest activation itself is included"
    )
    order: Order = "strongest"
    seed: int = Field(0, ge=0, lt=2**63, description="of the random order")
    width: Width = 12
    limit: int = Field(20, ge=1, le=200)
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before")


class IntervalsParameters(ViewParameters):
    """Equal parts of the range of a feature's activations, with some of each."""

    n_intervals: int = Field(8, ge=1, le=50)
    per_interval: int = Field(5, ge=1, le=20, description="examples of each, drawn at random")
    width: Width = 12
    tokens: int = Field(10, ge=0, le=50, description="of each, by TF-IDF")


class RelatedParameters(ViewParameters):
    """Features that are related, by one measure."""

    by: Relation = "cosine"
    limit: int = Field(20, ge=1, le=500, description="at most 20 are known by cosine")


class NeighboursParameters(ViewParameters):
    """Features with the nearest decoder directions."""

    limit: int = Field(20, ge=1, le=500, description="at most 20 are known")


class CoactivationParameters(ViewParameters):
    """Features that fire together with one."""

    by: Literal["count", "jaccard", "correlation"] = "count"
    limit: int = Field(20, ge=1, le=500)


class TokensParameters(ViewParameters):
    """Tokens at, before and after a feature's activations, and around them."""

    limit: int = Field(20, ge=1, le=200, description="tokens of each kind")
    width: int = Field(5, ge=1, le=12, description="of the contexts that PageRank is about")
    contexts: int = Field(
        5000, ge=0, le=1_000_000, description="for PageRank, at most; 0: all activations"
    )


class BreakdownParameters(ViewParameters):
    """By which metadata column."""

    column: str = Field(min_length=1, max_length=200)
    limit: int = Field(100, ge=1, le=1000, description="values with the highest density")


class OverviewParameters(ViewParameters):
    """How much an overview says."""

    format: Literal["markdown", "json"] = "markdown"
    examples: int = Field(8, ge=0, le=100, description="contexts of the strongest activations")
    top: int = Field(10, ge=1, le=50, description="rows of each list")
    all: bool = Field(False, description="PageRank of all contexts, not of 5,000 at most")


class _OfAFeature(Parameters):
    sae_id: ModelId
    feature_id: FeatureId

    @classmethod
    def of(cls, sae_id: str, feature_id: int, parameters: Parameters, **more: Any) -> Self:
        """The parameters, asked of a feature."""
        given = parameters.model_dump(exclude_unset=True) | more
        return cls.parse(given | {"sae_id": sae_id, "feature_id": feature_id})


class ViewQuery(_OfAFeature, ViewParameters):
    """One feature."""


class ExamplesQuery(_OfAFeature, ExamplesParameters):
    """Activations of a feature in their text, a page at a time, over all there are."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self


class IntervalsQuery(_OfAFeature, IntervalsParameters):
    """Examples from every range of a feature's activations, the strongest first."""


class RelatedQuery(_OfAFeature, RelatedParameters):
    """Related features of the same SAE."""


class TokensQuery(_OfAFeature, TokensParameters):
    """Which tokens a feature is about."""


class BreakdownQuery(_OfAFeature, BreakdownParameters):
    """A feature by the documents' metadata."""


class OverviewQuery(_OfAFeature, OverviewParameters):
    """Everything in brief, to be pasted into notes."""
