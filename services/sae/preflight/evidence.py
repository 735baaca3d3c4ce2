"""All that a verdict rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.sae.preflight.stated import Stated
from services.types import Finding, Verdict

METRICS = (
    "l0", "l0_p10", "l0_p90", "explained_variance", "fvu", "mse", "cosine", "norm_ratio",
    "ce_model", "ce_spliced", "ce_zero", "loss_recovered", "dead_share", "dense_share",
    "input_norm", "expected_norm", "bos_norm",
)  # fmt: skip
"""The names of the metrics of a report, each of which has a formula in the package's docstring."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A change (a scale, a number of features, a layer) and the explained variance with it."""

    value: float
    explained_variance: float


@dataclass(frozen=True, slots=True)
class Fits:
    """Explained variance on a sample: as it is, and with something changed."""

    own: float
    layers: Mapping[int, float]  # of the same SAE on another layer's activations
    scale: Fit  # best scale of the input
    output: Fit  # best factor of the reconstruction
    kept: Fit  # best number of features to keep


@dataclass(frozen=True, slots=True)
class WeightFacts:
    """Shares between 0 and 1; None where the architecture has no such thing."""

    empty_features: float | None  # encoder columns of zeros
    empty_inputs: float | None  # encoder rows of zeros: numbers of the input that nothing reads
    unlike: float | None  # features whose decoder row does not resemble their encoder column
    unused_threshold: bool  # the file has thresholds that the architecture does not apply
    zero_threshold: bool  # all thresholds are 0: the same as none


@dataclass(frozen=True, slots=True)
class BosFacts:
    """How texts begin for this tokenizer."""

    exists: bool
    is_added: bool  # the tokenizer puts it in front of a plain text by itself
    doubled_by: str | None  # what writes it twice
    loss_without: float | None  # explained variance lost without it; None where not measured


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one model and one SAE; what could not be measured is None."""

    sae_id: str
    model_id: str
    hook_name: str
    trained_on: str
    d_in: int
    d_sae: int
    n_vocab: int
    trained_on_this: bool | None
    stated: Stated
    metrics: Mapping[str, float | None]
    n_counted: int
    by_stretch: tuple[tuple[int, float], ...] = ()  # first position of a stretch and its FVU
    fits: Fits | None = None
    weights: WeightFacts | None = None
    bos: BosFacts | None = None
    unknown_tokens: float | None = None  # share of the text
    obstacles: tuple[Finding, ...] = field(default=())  # what kept it from being measured

    def metric(self, name: str) -> float | None:
        """The metric, None when it was not measured."""
        return self.metrics.get(name)


def broken(code: str, message: str, remedy: str) -> Finding:
    """A finding after which the numbers mean nothing."""
    return Finding(code, Verdict.BROKEN, message, remedy)


def suspicious(code: str, message: str, remedy: str) -> Finding:
    """A finding that has to be known, though the pair can be used."""
    return Finding(code, Verdict.SUSPICIOUS, message, remedy)
