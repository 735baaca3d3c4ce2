"""The table of corpora, in the house's own values and errors: an index of their folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import Any

from db.corpora import CorpusRepository
from db.corpus_records import CorpusRecord
from services.database import Database
from services.errors import Conflict, NotFound
from services.text import storable
from services.types import CorpusInfo

_SAME = tuple({f.name for f in fields(CorpusInfo)} & {f.name for f in fields(CorpusRecord)})


class CorpusStore:
    """Keeps what folders cannot: that a corpus was deleted, and which extractions used it.

    Raises:
        Unavailable, ResourceExhausted: see services.database; from every method.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def sync(self, infos: Sequence[CorpusInfo]) -> None:
        """Write down what was found in folders; marks and dates of what is known stay."""
        with self._write() as corpora:
            corpora.keep([record_of(info) for info in infos if info.problem is None])

    def rows(self) -> Mapping[str, CorpusRecord]:
        """Every corpus that was ever seen and not forgotten, by id."""
        with self._read() as corpora:
            return corpora.all()

    def set_deleted(self, corpus_id: str, at: datetime | None) -> None:
        """Take out of use at a time, or (None) back into it.

        Raises:
            NotFound: there is no such row.
        """
        with self._write() as corpora:
            if not corpora.set_deleted(corpus_id, at):
                raise NotFound(f"there is no corpus {corpus_id[:100]!r}", id=corpus_id[:100])

    def forget(self, corpus_id: str) -> None:
        """Remove the row.

        Raises:
            Conflict: extractions were made of it.
        """
        with self._write() as corpora:
            if not corpora.forget(corpus_id):
                n = corpora.usage().get(corpus_id, 0)
                raise Conflict(
                    f"corpus {corpus_id} cannot be deleted with its files: extractions were "
                    f"made of it ({n}); remove them first (`actiscope extractions remove`), or "
                    "delete the corpus without its files to take it out of use",
                    id=corpus_id,
                    extractions=n,
                )

    def usage(self) -> Mapping[str, int]:
        """How many extractions were made of each corpus; 0 is left out."""
        with self._read() as corpora:
            return corpora.usage()

    @contextmanager
    def _read(self) -> Iterator[CorpusRepository]:
        with self._database.read() as session:
            yield CorpusRepository(session)

    @contextmanager
    def _write(self) -> Iterator[CorpusRepository]:
        with self._database.write() as session:
            yield CorpusRepository(session)


def record_of(info: CorpusInfo) -> CorpusRecord:
    """`info` as both databases keep it."""
    values: dict[str, Any] = {name: getattr(info, name) for name in _SAME}
    values = {n: storable(v) if isinstance(v, str) else v for n, v in values.items()}
    columns = {storable(name): kind for name, kind in info.metadata.items()}
    return CorpusRecord(**values | {"source": info.source.value, "metadata_columns": columns})
