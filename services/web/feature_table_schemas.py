"""What REST takes and answers about the table of features."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from services.features.requests import ExportFormat, FeaturePart, FeatureSelection
from services.web.store_schemas import StoreFeatureRowBody


class FeatureTableParameters(FeaturePart):
    """A page of the table."""

    format: Literal["json"] = Field("json", description="everything at once: …/features/export")


class ExportParameters(FeatureSelection):
    """The whole selection as a file."""

    format: ExportFormat = "csv"


class FeatureRowBody(StoreFeatureRowBody):
    """One feature; null is what is not known, or was not said."""

    n: int | None = Field(description="activations")
    token_density: float | None
    label: str | None = Field(description="text of the chosen label")
    category: str | None
    notes: str | None = Field(description="Markdown")
    confidence: float | None
    source: str | None = Field(description="human, automatic or imported")
    source_name: str | None
    author: str | None
    n_labels: int
    starred: bool
    skipped: str | None = Field(description="why nobody should label it now")
    decoder_norm: float | None
    encoder_cosine: float | None
    max_cosine: float | None = Field(description="to the nearest other feature")
    logit_max: float | None
    logit_min: float | None
    logit_mean: float | None
    logit_std: float | None
    cosine: float | None = Field(None, description="to the feature `neighbour_of`; only with it")
    fires: float | None = Field(description="largest activation on the text `fires_on`")
    top_tokens: list[str] = Field(description="that it fires on most strongly, each once")
    example: str | None = Field(description="text around its strongest activation")
    promoted: list[str] = Field(description="tokens with the largest logit weights")


class FeatureTableBody(BaseModel):
    """A page of the table of an SAE's features."""

    sae_id: str
    store_id: str | None = Field(description="null: the SAE has read no corpus yet")
    is_complete: bool = Field(description="only then are there statistics of all features")
    items: list[FeatureRowBody]
    total: int = Field(description="features that pass the filters")
    n_features: int = Field(description="of the SAE")
    next_offset: int | None = Field(description="null on the last page")
    next_cursor: str | None = Field(
        description="null on the last page; survives changes of labels, which offsets do not"
    )


class ColumnBody(BaseModel):
    """A column of the table."""

    name: str
    title: str
    kind: Literal["number", "text", "flag"]
    definition: str
    is_sortable: bool
    needs: Literal["store", "decoder", "query"] | None = Field(
        description="without it, the column is empty"
    )


class ColumnsBody(BaseModel):
    """All columns of the table."""

    items: list[ColumnBody]
