"""What a repository holds at a commit."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from services.errors import NotFound


@dataclass(frozen=True, slots=True)
class RepoFile:
    """A file, with what is needed to tell whether a copy of it is right."""

    path: str
    size: int
    sha256: str | None  # of large files only (LFS)
    git_sha1: str | None = None  # of the others: git's own id of the content


@dataclass(frozen=True)
class RepoListing:
    """A repository at a commit."""

    repo_id: str
    revision: str  # the commit
    files: tuple[RepoFile, ...]

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The names of all files."""
        return tuple(file.path for file in self.files)

    @cached_property
    def _by_path(self) -> Mapping[str, RepoFile]:
        return {file.path: file for file in self.files}

    def chosen(self, paths: Iterable[str]) -> tuple[RepoFile, ...]:
        """The named files; `NotFound` suggests what is there."""
        return tuple(self.file(path) for path in dict.fromkeys(paths))

    def file(self, path: str) -> RepoFile:
        """The named file; `NotFound` suggests what is there."""
        file = self._by_path.get(path)
        if file is None:
            near = difflib.get_close_matches(path, self.paths, n=3, cutoff=0.5) or self.paths[:5]
            raise NotFound(
                f"{self.repo_id} holds no file {path[:200]!r} at {self.revision[:10]}; "
                f"there is: {', '.join(near) or 'nothing'}",
                repo_id=self.repo_id,
                path=path[:200],
            )
        return file


def file_of(entry: Mapping[str, Any]) -> RepoFile:
    """A file as the hub's tree lists it."""
    lfs = entry.get("lfs") or {}
    oid = entry.get("oid")
    is_git = not lfs and isinstance(oid, str) and len(oid) == 40
    return RepoFile(
        path=str(entry["path"]),
        size=int(lfs.get("size", entry["size"])),
        sha256=str(lfs["oid"]) if lfs else None,
        git_sha1=oid if is_git else None,
    )
