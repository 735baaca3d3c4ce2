"""`registration.json` beside an SAE or a model: where it came from, and which model it is for.

Absent for folders that were put in place by hand, and for the demo.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from services.lm.weight_files import broken, read_json

REGISTRATION = "registration.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was read when the entry was added."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Registration:
    """What the files of an entry do not say themselves."""

    source: str  # of services.types.Source
    added_at: str  # ISO 8601, UTC
    model_id: str = ""  # the model of this server that an SAE is for
    format: str = ""  # the layout an SAE was converted from
    repo_id: str | None = None
    repo_revision: str | None = None
    repo_path: str | None = None
    release: str | None = None
    catalogue_id: str | None = None
    files: tuple[SourceFile, ...] = ()
    published: Mapping[str, float] = field(default_factory=dict)
    version: int = _VERSION


def read_registration(folder: Path) -> Registration | None:
    """The registration in `folder`, if there is one; `Unsupported` when it cannot be read."""
    path = folder / REGISTRATION
    if not path.exists():
        return None
    raw = read_json(path)
    try:
        return _registration(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        remedy = "remove the entry and add it again"
        raise broken(path, f"is no registration ({str(error)[:80]})", remedy) from None


def write_registration(folder: Path, registration: Registration) -> None:
    """Write it whole or not at all."""
    partial = folder / f".{REGISTRATION}.partial"
    partial.write_text(json.dumps(asdict(registration), indent=1, sort_keys=True) + "\n")
    os.replace(partial, folder / REGISTRATION)


def _registration(raw: Mapping[str, Any]) -> Registration:
    if raw["version"] != _VERSION:
        raise ValueError(f"version {str(raw['version'])[:20]}")
    return Registration(
        source=_text(raw, "source"),
        added_at=_text(raw, "added_at"),
        model_id=_text(raw, "model_id"),
        format=_text(raw, "format"),
        repo_id=_text(raw, "repo_id") or None,
        repo_revision=_text(raw, "repo_revision") or None,
        repo_path=_text(raw, "repo_path") or None,
        release=_text(raw, "release") or None,
        catalogue_id=_text(raw, "catalogue_id") or None,
        files=tuple(
            SourceFile(str(f["name"]), int(f["size"]), str(f["sha256"]))
            for f in raw.get("files") or ()
        ),
        published={str(k): float(v) for k, v in (raw.get("published") or {}).items()},
    )


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name) or ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value
