"""Why an SAE does not reconstruct what it reads: the one explanation that undoes most of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from services.sae.preflight.evidence import Evidence, Fits, WeightFacts, broken
from services.sae.preflight.thresholds import (
    CAUSE_ASKED,
    CAUSE_DENSE,
    CAUSE_EXPLAINS,
    CAUSE_FVU,
    LIMITS,
)
from services.types import Finding, Verdict


class _Cause(NamedTuple):
    explained_variance: float  # once it is undone
    finding: Finding


def find_cause(evidence: Evidence) -> tuple[Finding, ...]:
    """What is wrong with the weights, or what was mixed up; () when nothing explains it."""
    damage = tuple(_damage(evidence))
    if any(finding.code == "decoder_damaged" for finding in damage):
        return damage
    dropped = _dropped_threshold(evidence)
    if dropped is not None:
        return (*damage, dropped)
    causes = _causes(evidence, evidence.fits) if evidence.fits is not None else []
    best = max(causes, key=lambda cause: cause.explained_variance, default=None)
    return (*damage, best.finding) if best is not None else damage


def _causes(evidence: Evidence, fits: Fits) -> list[_Cause]:
    found = (
        _wrong_layer(evidence, fits),
        _too_many_features(evidence, fits),
        _wrong_scale(evidence, fits),
        _wrong_output_scale(evidence, fits),
    )
    return [cause for cause in found if cause is not None]


def _explains(fits: Fits, explained_variance: float) -> bool:
    left = (1 - explained_variance) / (1 - fits.own) if fits.own < 1 else 1.0
    return explained_variance >= CAUSE_EXPLAINS and left <= CAUSE_FVU


def _wrong_layer(evidence: Evidence, fits: Fits) -> _Cause | None:
    if not fits.layers:
        return None
    layer, value = max(fits.layers.items(), key=lambda pair: pair[1])
    if not _explains(fits, value):
        return None
    return _Cause(
        value,
        broken(
            "wrong_layer",
            f"the activations of layer {layer} are reconstructed clearly better than those at "
            f"{evidence.hook_name}: {value:.2f} of their variance is explained against "
            f"{share_text(fits.own)}",
            f"register the SAE again with the hook name of layer {layer}, after a look at where "
            "its publisher trained it",
        ),
    )


def _too_many_features(evidence: Evidence, fits: Fits) -> _Cause | None:
    l0, k = evidence.metric("l0"), fits.kept
    if l0 is None or l0 < CAUSE_DENSE * k.value or not _explains(fits, k.explained_variance):
        return None
    return _Cause(
        k.explained_variance,
        broken(
            "no_threshold",
            f"{l0:.0f} features fire per token, and keeping only the {k.value:.0f} strongest "
            f"explains {k.explained_variance:.2f} of the variance instead of "
            f"{share_text(fits.own)}: the SAE is run without its threshold or its top-k",
            "convert it again as the architecture it was trained as (jumprelu with its "
            "`threshold`, topk with its k)",
        ),
    )


def _wrong_scale(evidence: Evidence, fits: Fits) -> _Cause | None:
    scale = fits.scale
    verdict = _scale_verdict(scale.value)
    if verdict is None or not _explains(fits, scale.explained_variance):
        return None
    return _Cause(
        scale.explained_variance,
        Finding(
            "scale_off",
            verdict,
            f"with inputs scaled by {scale.value:.3g} it explains {scale.explained_variance:.2f} "
            f"of the variance instead of {share_text(fits.own)}: the scale of the activations is "
            "not folded into its weights, or folded twice",
            f"convert the SAE again with its norm scaling factor; W_enc is off by about "
            f"{scale.value:.3g}",
        ),
    )


def _wrong_output_scale(evidence: Evidence, fits: Fits) -> _Cause | None:
    """Only the decoder's scale: then as many features fire as should."""
    factor = fits.output
    dense = LIMITS["l0_share"].judge((evidence.metric("l0") or 0) / evidence.d_sae)
    verdict = _scale_verdict(factor.value)
    if dense or verdict is None or not _explains(fits, factor.explained_variance):
        return None
    return _Cause(
        factor.explained_variance,
        Finding(
            "scale_off",
            verdict,
            f"its reconstruction times {factor.value:.3g} explains "
            f"{factor.explained_variance:.2f} of the variance instead of "
            f"{share_text(fits.own)}: the scale of the decoder is not folded into its weights, "
            "or folded twice",
            f"convert the SAE again; W_dec and b_dec are off by about {factor.value:.3g}",
        ),
    )


def _scale_verdict(scale: float) -> Verdict | None:
    return LIMITS["scale"].judge(max(scale, 1 / scale)) if scale > 0 else None


def _dropped_threshold(evidence: Evidence) -> Finding | None:
    weights = evidence.weights
    if weights is None or not weights.unused_threshold:
        return None
    return broken(
        "no_threshold",
        "its file has a threshold for each feature, but its configuration names the architecture "
        "`standard`, which has none: features fire that should not",
        "set the architecture to `jumprelu` in cfg.json, or convert the SAE again",
    )


def _damage(evidence: Evidence) -> Iterator[Finding]:
    weights = evidence.weights
    if weights is None:
        return
    yield from _empty(weights)
    verdict = LIMITS["unlike"].judge(weights.unlike)
    if verdict is None or weights.unlike is None or not _reconstructs_badly(evidence):
        return
    yield Finding(
        "decoder_damaged",
        verdict,
        f"{weights.unlike:.0%} of the features write in a direction that has nothing to do with "
        "the one they read: the decoder is damaged, permuted or partly transposed, or was never "
        "trained",
        "download or convert the SAE again and compare the checksum with its source",
    )


def _empty(weights: WeightFacts) -> Iterator[Finding]:
    for what, share, limit in (
        ("features have an encoder of zeros", weights.empty_features, LIMITS["empty_features"]),
        ("inputs are read by no feature", weights.empty_inputs, LIMITS["empty_inputs"]),
    ):
        verdict = limit.judge(share)
        if verdict is not None:
            yield Finding(
                "encoder_damaged",
                verdict,
                f"{share:.0%} of the {what}: training leaves none",
                "download or convert the SAE again and compare the checksum with its source",
            )


def _reconstructs_badly(evidence: Evidence) -> bool:
    value = evidence.metric("explained_variance")
    if value is None:
        return False
    published = evidence.stated.published.get("explained_variance")
    gap = LIMITS["explained_variance_gap"].judge(published - value if published else None)
    return value < CAUSE_ASKED or gap is not None


def share_text(explained_variance: float) -> str:
    """The share in words' company; below 0 it is worse than guessing the mean each time."""
    if explained_variance >= 0:
        return f"{explained_variance:.2f}"
    return f"{explained_variance:.2g} (worse than the mean alone)"


def worst(findings: tuple[Finding, ...]) -> Verdict:
    """The verdict that follows."""
    if any(finding.verdict is Verdict.BROKEN for finding in findings):
        return Verdict.BROKEN
    return Verdict.SUSPICIOUS if findings else Verdict.GOOD
