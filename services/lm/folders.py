"""Finding models and SAEs: one folder each below one of several roots.

A folder that cannot be used is reported with its reason and never disturbs the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from services.errors import NotFound, Unsupported

Entry = TypeVar("Entry")
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,99}")


@dataclass(frozen=True, slots=True)
class Problem:
    """A folder that is not offered, and why."""

    id: str
    path: Path
    reason: str


class Folders(Generic[Entry]):
    """The usable entries below `<root>/<kind>/`; the first root that has an id wins.

    Ids are folder names: `name`, or `owner/name` one level deeper. Listing looks at the folders
    every time, but reads again only what has changed.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        kind: str,
        marker: str,
        read: Callable[[str, Path], Entry],
    ) -> None:
        self._roots = [Path(root) / kind for root in roots]
        self._kind = kind
        self._marker = marker
        self._read = read
        self._cache: dict[Path, tuple[object, Entry | Problem]] = {}

    def list(self) -> tuple[Entry, ...]:
        """The usable entries, by id."""
        found = self._scan()
        return tuple(found[id] for id in sorted(found) if not isinstance(found[id], Problem))  # type: ignore[misc]

    def problems(self) -> tuple[Problem, ...]:
        """The folders that are not offered, and why."""
        return tuple(entry for entry in self._scan().values() if isinstance(entry, Problem))

    def get(self, id: str) -> Entry:
        """The entry; `NotFound` lists what exists, `Unsupported` says why a folder is unusable."""
        found = self._scan()
        entry = found.get(id)
        if isinstance(entry, Problem):
            raise Unsupported(entry.reason, id=id)
        if entry is None:
            known = sorted(i for i, e in found.items() if not isinstance(e, Problem))
            what = {"models": "model", "saes": "SAE"}.get(self._kind, self._kind)
            offer = ", ".join(known[:20]) or f"none; put one below {self._kind}/ in the data folder"
            raise NotFound(f"no {what} {id[:200]!r}; there is: {offer}", id=id[:200], known=known)
        return entry

    def _scan(self) -> dict[str, Entry | Problem]:
        found: dict[str, Entry | Problem] = {}
        for root in self._roots:
            for id, path in _candidates(root, self._marker):
                found.setdefault(id, self._entry(id, path))
        return found

    def _entry(self, id: str, path: Path) -> Entry | Problem:
        try:
            seen = stamp(path)
            cached = self._cache.get(path)
            if cached is None or cached[0] != seen:
                cached = self._cache[path] = (seen, self._judge(id, path))
            return cached[1]
        except OSError as error:
            return Problem(id, path, f"the folder {path.name} cannot be read ({error.strerror})")

    def _judge(self, id: str, path: Path) -> Entry | Problem:
        if not all(_SEGMENT.fullmatch(part) for part in id.split("/")):
            return Problem(id, path, "the folder's name may hold only letters, digits and . _ -")
        try:
            return self._read(id, path)
        except Unsupported as error:
            return Problem(id, path, error.message)


def stamp(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Name, size, time and inode of each file: other values when the content has changed."""
    return tuple(sorted(_stamp(file) for file in folder.iterdir()))


def _stamp(file: Path) -> tuple[str, int, int, int]:
    stat = file.lstat() if not file.exists() else file.stat()
    return file.name, stat.st_size, stat.st_mtime_ns, stat.st_ino


def _candidates(root: Path, marker: str) -> Iterator[tuple[str, Path]]:
    for child in _folders(root):
        nested = [] if (child / marker).exists() else _folders(child)
        nested = [folder for folder in nested if (folder / marker).exists()]
        if nested:
            yield from ((f"{child.name}/{folder.name}", folder) for folder in nested)
        else:
            yield child.name, child


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []
