"""What REST takes and answers about decoders, as the OpenAPI document says it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from services.runs.queries import FeatureId, Parameters


class DecoderFeaturePath(BaseModel):
    """A feature's address below its SAE's."""

    sae_id: str
    feature: FeatureId


class DecoderParameters(Parameters):
    """Which features; a page of them as JSON, or all from `offset` on as an Arrow stream."""

    format: Literal["json", "arrow"] = "json"
    limit: int | None = Field(None, ge=1, le=2**31, description="default: 100 as JSON, else all")
    offset: int = Field(0, ge=0, lt=2**31, description="the first feature")


class TokenWeightBody(BaseModel):
    """How much a feature raises or lowers one token's logit."""

    token_id: int
    token_str: str
    weight: float = Field(description="per unit of activation; comparable within a model")
    z: float | None = Field(description="against all tokens of the vocabulary")


class FeatureNeighbourBody(BaseModel):
    """A feature that writes nearly the same."""

    feature_id: int
    cosine: float = Field(description="of the two decoder directions")


class DecoderFeatureBody(BaseModel):
    """What a feature's decoder direction says."""

    sae_id: str
    feature_id: int
    decoder_norm: float
    encoder_cosine: float | None = Field(description="of what it reads and what it writes")
    logit_mean: float | None
    logit_std: float | None
    top: list[TokenWeightBody] = Field(description="largest first")
    bottom: list[TokenWeightBody] = Field(description="smallest first")
    neighbours: list[FeatureNeighbourBody] = Field(description="nearest first")


class DecoderBody(BaseModel):
    """An SAE's decoder: what the numbers are of, and a page of features."""

    sae_id: str
    model_id: str
    sae_revision: str
    model_revision: str
    d_sae: int
    n_tokens: int = Field(description="of the vocabulary that the logit weights are of")
    top_k: int
    writes_to: str | None = Field(description="the way to the residual stream")
    softcapping: float | None = Field(description="of the model's logits; not in the weights")
    without_logits: str | None = Field(description="why there are no logit weights")
    items: list[DecoderFeatureBody]
    next_offset: int | None = Field(description="null on the last page")
