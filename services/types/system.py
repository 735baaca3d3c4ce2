"""Health, and files for the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the health page."""

    name: str  # database | model | sae:<id> | device | memory | queue | disk
    ok: bool
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the product can do its work now."""

    status: str  # ok | degraded
    checks: tuple[Check, ...]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Download:
    """A file for the user: bytes, a name that says the run, a media type."""

    filename: str
    media_type: str
    content: bytes
