"""What may be asked about jobs: validated, the same for pages, REST and the command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from services.jobs.ids import PATTERN
from services.runs.queries import Parameters, Query
from services.text import storable
from services.types import JobStatus

JobKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
JobId = Annotated[str, StringConstraints(pattern=PATTERN)]
RequestKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}$")]

PARAMS_CHARS = 200_000
"""Longest parameters, as JSON text."""


class JobParams(BaseModel):
    """Base of every kind's parameters: frozen, and no field is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StartJob(Query):
    """A job to be done. The kind's own model checks `params`."""

    kind: JobKind = Field(description="what is to be done")
    params: dict[str, Any] = Field(default_factory=dict, description="parameters of the kind")
    priority: int = Field(0, ge=-100, le=100, strict=True, description="higher ones go first")
    request_key: RequestKey | None = Field(
        None, description="makes the call repeatable: the same key and body give the same job"
    )
    parent_id: JobId | None = Field(None, description="the job that this one is a part of")

    @field_validator("params", mode="after")
    @classmethod
    def _storable(cls, params: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = _storable(params)
        if len(json.dumps(made)) > PARAMS_CHARS:
            raise ValueError(f"the parameters have more than {PARAMS_CHARS:,} characters as JSON")
        return made

    def fingerprint(self, params: Mapping[str, Any], version: int) -> str:
        """Hash of all but the key, with `params` as the kind has completed them."""
        body = {
            "kind": self.kind,
            "version": version,
            "params": params,
            "priority": self.priority,
            "parent_id": self.parent_id,
        }
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


class JobQuery(Parameters):
    """Which jobs to list, newest first."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before")
    status: JobStatus | None = None
    kind: JobKind | None = None
    parent_id: JobId | None = Field(None, description="parts of this job")


def _storable(value: Any) -> Any:
    """`value` with every text in it storable, keys included."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(key)): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    return value
