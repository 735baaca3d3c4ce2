"""One folder that is looked at: its files by name, and what its path says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.errors import ActiscopeError, Unsupported
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
    check: Callable[[Path], None] = lambda path: None
    """Raises for what may not be read, links resolved; asked before anything is."""

    def file(self, *names: str) -> Path | None:
        """The first of `names` that is there."""
        file = next((self.folder / n for n in names if (self.folder / n).is_file()), None)
        if file is not None:
            self.check(file)
        return file

    def above(self, name: str) -> Path | None:
        """The file one folder up, if it is there and may be read."""
        file = self.folder.parent / name
        return file if self._is_open(file) and file.is_file() else None

    def files(self, pattern: str) -> tuple[str, ...]:
        """The names that match the regular expression, in the order of their numbers."""
        names = self._names(pattern)
        for name in names:
            self.check(self.folder / name)
        return names

    def others(self) -> tuple[str, ...]:
        """The names of all files that may be read: to see what else there is."""
        return tuple(n for n in self._names(r".*\.\w+") if self._is_open(self.folder / n))

    def _names(self, pattern: str) -> tuple[str, ...]:
        names = [p.name for p in self.folder.iterdir() if p.is_file()]
        return tuple(sorted((n for n in names if re.fullmatch(pattern, n)), key=_by_number))

    def _is_open(self, path: Path) -> bool:
        try:
            self.check(path)
        except ActiscopeError:
            return False
        return True

    def path_of(self, name: str) -> str:
        """What a file of this folder is called below what is looked at."""
        return f"{self.path}/{name}" if self.path else name

    def json(self, name: str) -> dict[str, Any]:
        """The JSON object in the file; `Unsupported` when it is none."""
        self.check(self.folder / name)
        return read_json(self.folder / name)

    def peek(self, name: str) -> Mapping[str, Any]:
        """The JSON object in the file, empty when there is none: to recognise, not to read."""
        try:
            return self.json(name)
        except Unsupported:
            return {}

    def peek_specs(self, name: str) -> Mapping[str, TensorSpec]:
        """The arrays of the file, empty when it cannot be read."""
        self.check(self.folder / name)
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
