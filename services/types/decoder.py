"""What an SAE's decoder says about a feature without any text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenWeight:
    """How much a feature raises or lowers one token's logit, per unit of activation."""

    token_id: int
    token_str: str  # as it is shown
    weight: float  # comparable within a model; not an absolute logit
    z: float | None  # (weight - mean) / std over the vocabulary; None where std is 0


@dataclass(frozen=True, slots=True)
class FeatureNeighbour:
    """A feature of the same SAE that writes nearly the same."""

    feature_id: int
    cosine: float  # of the two decoder directions


@dataclass(frozen=True, slots=True)
class DecoderFeature:
    """One feature's decoder direction, as docs/statistics.md defines these numbers."""

    sae_id: str
    feature_id: int
    decoder_norm: float
    encoder_cosine: float | None  # of what it reads and writes; None where the spaces differ
    logit_mean: float | None  # over the vocabulary; None where there are no logit weights
    logit_std: float | None
    top: tuple[TokenWeight, ...]  # largest first
    bottom: tuple[TokenWeight, ...]  # smallest first
    neighbours: tuple[FeatureNeighbour, ...]  # nearest first


@dataclass(frozen=True, slots=True)
class DecoderNorm:
    """How long a feature's decoder direction is among all of its SAE."""

    sae_id: str
    feature_id: int
    decoder_norm: float
    rank: int  # 1: the longest; features of equal length share it
    percentile: float  # share of the features, in percent, that are not longer
    d_sae: int
    mean: float
    std: float  # divided by d_sae


@dataclass(frozen=True, slots=True)
class DecoderInfo:
    """What a table of an SAE's decoder was computed from."""

    sae_id: str
    model_id: str
    sae_revision: str
    model_revision: str
    d_sae: int
    n_tokens: int  # of the vocabulary that the logit weights are of
    top_k: int
    writes_to: str | None  # the way from what the SAE writes to the residual stream, in words
    softcapping: float | None  # of the model's logits; not in the weights
    without_logits: str | None  # why there are no logit weights
