"""What may be asked of tests and probes: validated, the same for pages and REST."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from services.runs.queries import Author, FeatureId, Parameters, Query
from services.runs.request import ModelId
from services.text import storable

LONGEST = 1_000_000  # characters; ACTISCOPE_MAX_PROMPT_CHARS and the model say less

ReadAs = Literal["document", "prompt"]


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


ProbeText = Annotated[str, BeforeValidator(_storable), Field(min_length=1, max_length=LONGEST)]


class TestText(Query):
    """A feature on somebody's own text."""

    __test__ = False  # pytest would collect it by its name

    sae_id: ModelId
    feature_id: FeatureId
    text: ProbeText
    read_as: ReadAs = Field(
        "document",
        description="document: as an extraction reads a corpus, BOS as the SAE expects it and no "
        "chat template; prompt: as a run reads one, in the model's chat template where it has one",
    )


class AddProbe(Query):
    """A text to be kept with what is expected of the feature."""

    sae_id: ModelId
    feature_id: FeatureId
    text: ProbeText
    should_fire: Annotated[bool, Field(strict=True)]
    author: Author = Field(None, description="default: ACTISCOPE_USER")


class ProbeQuery(Parameters):
    """The probes of a feature, judged at a threshold."""

    sae_id: ModelId
    feature_id: FeatureId
    threshold: float = Field(0.0, ge=0, description="a probe fires above it")
