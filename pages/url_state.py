"""State that comes from outside: from a query string, or from the browser's store.

A field is taken only when it is well formed and dropped otherwise: a wrong link shows less, never
an error page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidatorFunctionWrapHandler, field_validator


class UrlState(BaseModel):
    """Base of what a URL carries; every field is None where nothing is chosen."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _drop_what_is_wrong(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValueError:
            return None

    @classmethod
    def parse(cls, values: Any) -> Self:
        """What a query string or the browser's store describes."""
        return cls.model_validate(dict(values) if isinstance(values, Mapping) else {})

    def as_data(self) -> dict[str, Any]:
        """The chosen fields only, as JSON values."""
        return self.model_dump(mode="json", exclude_none=True)
