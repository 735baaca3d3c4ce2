"""What REST takes and answers about tests and probes, as the OpenAPI document says it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from services.probes.requests import ProbeText, ReadAs
from services.runs.queries import Author, FeatureId, Parameters, Query


class FeatureTestPath(BaseModel):
    """A feature's address below its SAE's."""

    sae_id: str
    index: FeatureId


class ProbePath(FeatureTestPath):
    """A probe's address below its feature's."""

    probe_id: str


class TestBody(Query):
    """A text to test the feature on."""

    __test__ = False  # pytest would collect it by its name

    text: ProbeText
    read_as: ReadAs = Field(
        "document", description="document: as an extraction reads one; prompt: as a run does"
    )


class ProbeBody(Query):
    """A text to keep."""

    text: ProbeText
    should_fire: Annotated[bool, Field(strict=True)]
    author: Author = Field(None, description="default: ACTISCOPE_USER")


class ThresholdParameters(Parameters):
    """At what the probes are judged."""

    threshold: float = Field(0.0, ge=0, description="a probe fires above it")


class TestedTokenBody(BaseModel):
    """A token with the feature's activation there."""

    token_id: int
    token_str: str
    is_special: bool = Field(description="not counted: BOS, the chat template and the like")
    value: float
    piece: str = Field(description="the characters that end in it; joined they are the text")


class TestedBody(BaseModel):
    """A feature on a text: its exact value at every token."""

    sae_id: str
    feature_id: int
    text: str
    max: float = Field(description="over the tokens that are not special")
    argmax: int | None = Field(description="where; null where the feature does not fire")
    has_bos: bool
    has_template: bool
    tokens: list[TestedTokenBody]


class BoundsBody(BaseModel):
    """A 95 % interval after Wilson."""

    low: float
    high: float


class KeptProbeBody(BaseModel):
    """A text with what is expected of the feature, and what it does."""

    probe_id: str
    sae_id: str
    feature_id: int
    text: str
    should_fire: bool
    measured_max: float | None = Field(description="null: not measured yet")
    is_stale: bool = Field(description="measured with other weights than are there now")
    author: str
    created_at: str


class ProbeReportBody(BaseModel):
    """A feature's probes, and how well it tells them apart."""

    sae_id: str
    feature_id: int
    threshold: float
    n: int = Field(description="probes that count: measured with the weights that are there now")
    fired: int = Field(description="of those that should")
    missed: int
    fired_wrongly: int
    silent: int = Field(description="of those that should be")
    precision: float | None
    precision_bounds: BoundsBody | None
    recall: float | None
    recall_bounds: BoundsBody | None
    probes: list[KeptProbeBody]
