"""What may be asked when features are compared: the same for pages and REST."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from services.runs.queries import Parameters
from services.stores.requests import StoreId, Width

LEAST, MOST = 2, 6

FeatureText = Annotated[str, StringConstraints(min_length=3, max_length=300)]


class FeatureName(NamedTuple):
    """A feature by its SAE and number; as text `sae:number`."""

    sae_id: str
    feature_id: int

    @classmethod
    def parse(cls, text: str) -> FeatureName:
        """The feature that `sae:number` names; ValueError when the text is none."""
        sae_id, colon, number = text.rpartition(":")
        if not colon or not sae_id or not (number.isascii() and number.isdigit()):
            raise ValueError(f"{text[:80]!r} is no feature: write SAE:NUMBER")
        if int(number) >= 2**31:
            raise ValueError(f"{number[:20]} is no number of a feature")
        return cls(sae_id, int(number))

    def __str__(self) -> str:
        return f"{self.sae_id}:{self.feature_id}"


def _listed(value: Any) -> Any:
    """`a:1,b:2`, as an address of REST has it, as single values; a comma may be part of an id."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        return value
    return [piece for text in given for piece in re.split(r"(?<=\d),", str(text))]


def _stores(value: Any) -> Any:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        return value
    return [piece for text in given for piece in str(text).split(",") if piece]


class CompareQuery(Parameters):
    """Two to six features side by side."""

    f: Annotated[tuple[FeatureText, ...], BeforeValidator(_listed)] = Field(
        description="two to six features: SAE:NUMBER,SAE:NUMBER",
        json_schema_extra={"minItems": LEAST, "maxItems": MOST},
    )
    store: Annotated[tuple[StoreId, ...], BeforeValidator(_stores)] = Field(
        (), max_length=MOST, description="stores to read, at most one of each SAE; default: the "
        "newest ones, of the same corpus where there are such",
    )  # fmt: skip
    shared: int = Field(20, ge=0, le=100, description="at most so many shared examples")
    firing: int = Field(2, ge=2, le=MOST, description="… at which at least so many of them fire")
    tokens: int = Field(12, ge=0, le=50, description="at most so many tokens of each list")
    width: Width = 12

    @field_validator("f")
    @classmethod
    def _different(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(map(FeatureName.parse, given))
        if not LEAST <= len(names) <= MOST:
            raise ValueError(f"{LEAST} to {MOST} features are compared: SAE:NUMBER,SAE:NUMBER")
        if len(set(names)) < len(names):
            raise ValueError("a feature is named twice")
        return tuple(map(str, names))

    @property
    def features(self) -> tuple[FeatureName, ...]:
        """The features, in order."""
        return tuple(map(FeatureName.parse, self.f))
