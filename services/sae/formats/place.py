"""One folder that is looked at: its files by name, and what its path says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.errors import Unsupported
from services.lm.weight_files import TensorSpec, read_json
from services.sae.formats.arrays import read_specs
from services.sae.formats.found import Hints

_SETTING = re.compile(r"^([A-Za-z_]\w*)\s*:\s*['\"]?([^'\"#\n]*?)['\"]?\s*(?:#.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """A folder below what is looked at."""

    folder: Path
    path: str  # below what is looked at; "" for itself
    origin: str  # what names are parsed from: repository id and path, or the path on this machine
    hints: Hints

    def file(self, *names: str) -> Path | None:
        """The first of `names` that is there."""
        return next((self.folder / n for n in names if (self.folder / n).is_file()), None)

    def files(self, pattern: str) -> tuple[str, ...]:
        """The names that match the regular expression, in the order of their numbers."""
        names = [p.name for p in self.folder.iterdir() if p.is_file()]
        return tuple(sorted((n for n in names if re.fullmatch(pattern, n)), key=_by_number))

    def path_of(self, name: str) -> str:
        """What a file of this folder is called below what is looked at."""
        return f"{self.path}/{name}" if self.path else name

    def json(self, name: str) -> dict[str, Any]:
        """The JSON object in the file; `Unsupported` when it is none."""
        return read_json(self.folder / name)

    def peek(self, name: str) -> Mapping[str, Any]:
        """The JSON object in the file, empty when there is none: to recognise, not to read."""
        try:
            return read_json(self.folder / name)
        except Unsupported:
            return {}

    def peek_specs(self, name: str) -> Mapping[str, TensorSpec]:
        """The arrays of the file, empty when it cannot be read."""
        try:
            return read_specs(self.folder / name)
        except Unsupported:
            return {}

    def settings(self, *names: str) -> Mapping[str, str]:
        """The plain `key: value` lines at the top level of a YAML file, if there is one."""
        file = self.file(*names)
        if file is None or file.stat().st_size > 2**20:
            return {}
        return dict(_SETTING.findall(file.read_text(encoding="utf-8", errors="replace")))

    def said(self, *names: str) -> Any:
        """The first of `names` that the catalogue gives for this SAE."""
        given = self.hints.overrides
        extra = given.get("config_overrides")
        given = {**given, **extra} if isinstance(extra, Mapping) else given
        return next((given[n] for n in names if given.get(n) is not None), None)


def _by_number(name: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
