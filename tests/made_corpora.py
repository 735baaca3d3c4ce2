"""Sources of corpora, made by tests, and corpora of them without a database or a job."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.corpus.catalogue import CorpusEntry, read_entry
from services.corpus.reading import Corpus
from services.corpus.requests import AddCorpus
from services.corpus.settling import About, make_corpus
from services.corpus.sources.files import open_files
from services.types import CorpusSource


class Reported:
    """What the work says of itself; `stop_after` calls of `check` it is to stop."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.phases: list[str] = []
        self.lines: list[str] = []
        self._left = stop_after

    def begin(self, phase: str, total: int | None = None, unit: str = "", done: int = 0) -> None:
        self.phases.append(phase)

    def progress(self, done: int, total: int | None = None, message: str | None = None) -> None:
        pass

    def log(self, message: str, level: str = "info") -> None:
        self.lines.append(message)

    def check(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise InterruptedError


def jsonl(path: Path, rows: Sequence[Any]) -> Path:
    """A file of JSON lines, compressed when its name says so."""
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def made(
    place: Path, root: Path, report: Reported | None = None, source: Any = None, **asked: Any
) -> Corpus:
    """The corpus of a file or folder, below `<root>/corpora`."""
    request = AddCorpus(path=str(place), **asked)
    source = source or open_files(place, request.format, request.document_separator)
    staged = root / "corpora" / ".adding-test"
    staged.mkdir(parents=True)
    about = About(asked.get("name") or place.stem, CorpusSource.FOLDER, place.name)
    try:
        manifest = make_corpus(source, request, about, staged, report or Reported())
    except BaseException:
        for file in staged.iterdir():
            file.unlink()
        staged.rmdir()
        raise
    final = staged.rename(staged.parent / manifest.corpus_id)
    return Corpus.open(entry_of(final))


def entry_of(folder: Path) -> CorpusEntry:
    """The corpus of a folder."""
    return read_entry(folder)


def texts(corpus: Corpus) -> list[str]:
    """All its texts."""
    return [document.text for document in corpus.documents()]
