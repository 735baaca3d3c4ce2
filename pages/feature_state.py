"""What the address of a feature's page carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, Self
from urllib.parse import unquote

from pydantic import Field, field_validator

from pages.url_state import UrlState
from services.runs.queries import FeatureId
from services.runs.request import ModelId
from services.stores.requests import StoreId, TokenPosition

Order = Literal["strongest", "weakest", "random"]


class Place(UrlState):
    """The feature that the path names, and the store that its evidence is from."""

    sae: ModelId | None = None
    feature: FeatureId | None = None
    store: StoreId | None = None  # None: the newest one

    @field_validator("sae", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return value or None

    @classmethod
    def of_path(cls, sae: Any, feature: Any, query: Any) -> Self:
        """The place that an address means; Dash leaves its path as the browser writes it."""
        name = unquote(sae) if isinstance(sae, str) else None
        return cls.parse({**query, "sae": name, "feature": feature})

    @property
    def named(self) -> tuple[str, int] | None:
        """SAE and number, where the address names both."""
        return None if self.sae is None or self.feature is None else (self.sae, self.feature)


class EvidenceState(UrlState):
    """Which of the evidence is shown, and how; every field is None where nothing is chosen."""

    counted: Literal["all"] | None = None  # also tokens at which it is silent, in the histogram
    scale: Literal["log"] | None = None
    low: float | None = Field(None, allow_inf_nan=False)
    high: float | None = Field(None, allow_inf_nan=False)
    order: Order | None = None
    seed: int | None = Field(None, ge=0, lt=2**31)
    width: int | None = Field(None, ge=0, le=100)  # tokens on each side
    mode: Literal["text"] | None = None  # running text instead of aligned lines
    at: TokenPosition | None = None  # whose document is open
    column: str | None = Field(None, min_length=1, max_length=200)  # of metadata, broken down
    meta: str | None = Field(None, min_length=1, max_length=200)  # documents with this column
    value: str | None = Field(None, max_length=2000)  # of this value, as JSON

    def part(self, name: str) -> dict[str, Any]:
        """The fields that a section depends on."""
        return {k: v for k, v in self.as_data().items() if k in PARTS[name]}

    @property
    def where(self) -> str | None:
        """The documents that are chosen, as a query takes them; None: all, or it makes no sense."""
        if self.meta is None or self.value is None:
            return None
        try:
            return json.dumps({self.meta: json.loads(self.value)})
        except (ValueError, RecursionError):
            return None


PARTS: Mapping[str, tuple[str, ...]] = {
    "activations": ("counted", "scale", "low", "high"),
    "examples": ("low", "high", "order", "seed", "width", "mode", "meta", "value"),
    "intervals": ("width", "mode"),
    "document": ("at",),
    "breakdown": ("column",),
}
"""The fields of the view that each section shows."""
