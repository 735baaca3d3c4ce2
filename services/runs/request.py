"""The request of a run: what pages and REST parse their input into, and what a run remembers."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from services.text import storable
from services.validation import invalid

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}$")]
ModelId = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class RunRequest(BaseModel):
    """A prompt and how to run it. The field names are the REST contract's."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    prompt: str = Field(min_length=1, max_length=1_000_000, description="what the model reads")
    system_prompt: str | None = Field(
        None, max_length=100_000, description="system message; needs a chat template that takes one"
    )
    chat_template: Literal["auto", "on", "off"] = Field(
        "auto", description="auto: used when the model has one; off: the prompt is read as raw text"
    )
    model_id: ModelId | None = Field(
        None, description="a model of this server; default: its default"
    )
    max_tokens: int = Field(128, ge=1, le=100_000, strict=True, description="most tokens to write")
    temperature: float = Field(0.7, ge=0, le=2, strict=True, description="0 is greedy")
    top_p: float = Field(
        0.95, gt=0, le=1, strict=True, description="nucleus: smallest set with this probability"
    )
    top_k: int = Field(0, ge=0, le=1_000_000, strict=True, description="0: off")
    seed: int | None = Field(
        None, ge=0, lt=2**53, strict=True, description="drawn and recorded when not given"
    )
    collect_activations: bool = Field(True, strict=True, description="false: text only")
    inline_sae: bool = Field(True, strict=True, description="false: text only")
    sae_ids: tuple[ModelId, ...] | None = Field(
        None, max_length=50, description="SAEs to apply; default: all of the model but broken ones"
    )
    sae_id: ModelId | None = Field(None, description="one SAE, as an alternative to `sae_ids`")
    sae_layer: int | None = Field(
        None, ge=0, strict=True, description="only SAEs of this layer; it must agree with `sae_id`"
    )
    sae_top_k: int = Field(20, ge=1, le=200, strict=True, description="features shown per token")
    request_id: Identifier | None = Field(
        None, description="makes the call repeatable: the same id and body give the same run"
    )

    @model_validator(mode="before")
    @classmethod
    def _storable_text(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {k: storable(v) if isinstance(v, str) else v for k, v in values.items()}
        return values

    @model_validator(mode="after")
    def _one_way_to_name_saes(self) -> Self:
        if self.sae_id is not None and self.sae_ids is not None:
            raise ValueError("give `sae_id` or `sae_ids`, not both")
        return self

    @classmethod
    def parse(cls, values: Any) -> RunRequest:
        """The request, or `InvalidArgument` that names each wrong field and what is accepted."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise invalid(error) from None

    @property
    def wants_features(self) -> bool:
        """Whether any SAE is to be applied."""
        return self.collect_activations and self.inline_sae and self.sae_ids != ()

    @property
    def fingerprint(self) -> str:
        """Hash of all but `request_id`: equal for equal bodies."""
        body = self.model_dump(mode="json", exclude={"request_id"})
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
