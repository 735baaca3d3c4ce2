"""The corpora of this server: folders `<root>/corpora/<corpus_id>/` with a `corpus.json`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from services.corpus.manifest import MANIFEST, Manifest
from services.errors import ActiscopeError, NotFound, Unsupported
from services.types import CorpusInfo, CorpusSource

FOLDER = "corpora"
_ID = re.compile(r"[a-z0-9][a-z0-9._\-]{0,99}")


@dataclass(frozen=True, slots=True)
class CorpusEntry:
    """A corpus on disk."""

    info: CorpusInfo
    path: Path
    manifest: Manifest


class CorpusCatalogue:
    """The corpora of several roots; of two with the same id the first root's counts."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(roots)
        self._read: dict[Path, tuple[tuple[int, int], CorpusEntry]] = {}

    def list(self) -> tuple[CorpusEntry, ...]:
        """The corpora that can be read, by id."""
        found = (self._entry(folder) for folder in self._folders())
        return tuple(entry for entry in found if isinstance(entry, CorpusEntry))

    def get(self, corpus_id: str) -> CorpusEntry:
        """The corpus.

        Raises:
            NotFound: there is none of this id.
            Unsupported: its files are not what they should be.
        """
        entry = self._entry(self.folder(corpus_id))
        if isinstance(entry, CorpusInfo):
            raise Unsupported(f"corpus {corpus_id} cannot be read: {entry.problem}", id=corpus_id)
        return entry

    def folder(self, corpus_id: str) -> Path:
        """Where the corpus lies, usable or not; `NotFound` when there is none."""
        folder = next((f for f in self._folders() if f.name == corpus_id), None)
        if folder is None:
            raise NotFound(
                f"there is no corpus {corpus_id[:100]!r}: `actiscope corpus list` shows what there "
                "is",
                id=corpus_id[:100],
            )
        return folder

    def problems(self) -> tuple[CorpusInfo, ...]:
        """The folders that cannot be read, each with its `problem`."""
        found = (self._entry(folder) for folder in self._folders())
        return tuple(entry for entry in found if isinstance(entry, CorpusInfo))

    def _folders(self) -> Iterator[Path]:
        seen: dict[str, Path] = {}
        for root in self._roots:
            if (root / FOLDER).is_dir():
                for folder in (root / FOLDER).iterdir():
                    if _ID.fullmatch(folder.name) and folder.is_dir():
                        seen.setdefault(folder.name, folder)
        return iter([seen[name] for name in sorted(seen)])

    def _entry(self, folder: Path) -> CorpusEntry | CorpusInfo:
        """What the folder holds; an info with a problem when it cannot be used."""
        try:
            stat = (folder / MANIFEST).stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            known = self._read.get(folder)
            if known is not None and known[0] == stamp:
                _check_files(known[1])
                return known[1]
            entry = read_entry(folder)
            self._read[folder] = stamp, entry
            return entry
        except ActiscopeError as error:
            return _unusable(folder, error.message)
        except OSError as error:
            return _unusable(folder, f"{MANIFEST} cannot be read ({error.strerror})")


def read_entry(folder: Path) -> CorpusEntry:
    """The corpus of a folder, as far as its `corpus.json` and the sizes of its files tell.

    Raises:
        ActiscopeError: what is wrong with it.
    """
    manifest = Manifest.from_json((folder / MANIFEST).read_bytes())
    if manifest.corpus_id != folder.name:
        raise Unsupported(f"{MANIFEST} is of the corpus {manifest.corpus_id[:100]!r}")
    entry = CorpusEntry(manifest.info(), folder, manifest)
    _check_files(entry)
    return entry


def _check_files(entry: CorpusEntry) -> None:
    for file in entry.manifest.files:
        path = entry.path / file.name
        if Path(file.name).name != file.name or not path.is_file():
            raise Unsupported(f"the file {file.name[:100]} is missing: add the corpus again")
        if path.stat().st_size != file.n_bytes:
            raise Unsupported(f"the file {file.name} has changed: add the corpus again")


def _unusable(folder: Path, problem: str) -> CorpusInfo:
    at = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    nothing = CorpusInfo(
        corpus_id=folder.name,
        name=folder.name,
        source=CorpusSource.FOLDER,
        origin="",
        content_hash="",
        text_column="",
        metadata={},
        n_documents=0,
        n_chars=0,
        n_skipped=0,
        size_bytes=0,
        created_at=at,
    )
    return replace(nothing, problem=problem)
