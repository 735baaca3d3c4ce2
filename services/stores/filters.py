"""Which documents and activations a query is about, as it is written in an address."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

import pydantic_core
from pydantic import Field, field_validator, model_validator

from services.runs.queries import Parameters

META = "meta."  # meta.source=code: documents whose column `source` is `code`

Where = Mapping[str, Any]


class Filtered(Parameters):
    """A query about documents with certain metadata."""

    where: str | None = Field(
        None,
        max_length=10_000,
        description="JSON object from metadata columns (or `name`) to a value or a list of values "
        'of which one must hold: {"source": ["web", null]}. For one column and one value also '
        "`meta.<column>=<value>`",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_columns(cls, values: Any) -> Any:
        """`meta.<column>` parameters become part of `where`."""
        if not isinstance(values, dict):
            return values
        plain = {name: value for name, value in values.items() if not name.startswith(META)}
        columns = {name[len(META) :]: v for name, v in values.items() if name.startswith(META)}
        where = plain.get("where")
        if isinstance(where, Mapping):
            plain["where"] = json.dumps(dict(where))
        if columns:
            plain["where"] = json.dumps(_object(plain.get("where")) | columns)
        return plain

    @field_validator("where")
    @classmethod
    def _is_an_object(cls, where: str | None) -> str | None:
        _object(where)
        return where

    @property
    def columns(self) -> Where | None:
        """What `where` says; None when nothing is asked of documents."""
        return _object(self.where) or None


def _object(text: Any) -> dict[str, Any]:
    if text is None or text == "":
        return {}
    try:
        value = pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object from columns to values")
    return value


class Selecting(Filtered):
    """Which activations of a feature."""

    min_value: float | None = Field(None, description="at least this value")
    max_value: float | None = Field(None, description="at most this value")

    @model_validator(mode="after")
    def _some_value_fits(self) -> Self:
        if (
            self.min_value is not None
            and self.max_value is not None
            and self.min_value > self.max_value
        ):
            raise ValueError(f"min_value {self.min_value:g} is above max_value {self.max_value:g}")
        return self
