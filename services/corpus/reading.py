"""A corpus, read row group by row group: memory does not grow with its size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from services.corpus.catalogue import CorpusEntry
from services.corpus.manifest import CorpusFile
from services.errors import Conflict, Unavailable
from services.store.storage import digest_of
from services.types import CorpusDocument, CorpusInfo


class Corpus:
    """The documents of a corpus, in their order. Reading opens and closes the files each time."""

    def __init__(self, entry: CorpusEntry) -> None:
        self._entry = entry

    @classmethod
    def open(cls, entry: CorpusEntry) -> Corpus:
        """The corpus of an entry."""
        return cls(entry)

    @property
    def info(self) -> CorpusInfo:
        """What it is."""
        return self._entry.info

    @property
    def entry(self) -> CorpusEntry:
        """Where it is."""
        return self._entry

    def verify(self) -> None:
        """Read every file and compare its sha256.

        Raises:
            Conflict: names the file that is not what was added.
        """
        for file in self._entry.manifest.files:
            try:
                found = digest_of(self._entry.path / file.name)
            except OSError as error:
                raise _changed(self.info, file.name, error.strerror or "unreadable") from None
            if found != (file.n_bytes, file.sha256):
                raise _changed(self.info, file.name, "its sha256 differs")

    def documents(
        self, start: int = 0, stop: int | None = None, chosen: np.ndarray | None = None
    ) -> Iterator[CorpusDocument]:
        """The documents from `start` to before `stop`, of `chosen` (one boolean per document of
        the corpus) those that are true.

        Raises:
            Unavailable: a file cannot be read.
        """
        stop = self.info.n_documents if stop is None else min(stop, self.info.n_documents)
        for first, table in self._groups(start, stop, chosen):
            for i, row in enumerate(_rows(table), first):
                if start <= i < stop and (chosen is None or chosen[i]):
                    name, text = row.pop("name"), row.pop("text")
                    yield CorpusDocument(i, name, text, row)

    def lengths(self) -> np.ndarray:
        """Characters (Unicode code points) of each document, `[n_documents]`, int64."""
        lengths = [
            pc.utf8_length(column).cast(pa.int64()).to_numpy() for column in self.column("text")
        ]
        return np.concatenate(lengths) if lengths else np.empty(0, np.int64)

    def column(self, name: str) -> Iterator[pa.ChunkedArray]:
        """A column, a row group at a time."""
        for _, table in self._groups(0, self.info.n_documents, None, [name]):
            yield table.column(name)

    def _groups(
        self, start: int, stop: int, chosen: np.ndarray | None, columns: list[str] | None = None
    ) -> Iterator[tuple[int, pa.Table]]:
        """Row groups that have something of that range, each with its first document's number."""
        first = 0
        for file in self._entry.manifest.document_files:
            if first < stop and first + file.n_documents > start:
                yield from self._of_file(file, first, (start, stop), chosen, columns)
            first += file.n_documents

    def _of_file(
        self,
        file: CorpusFile,
        first: int,
        span: tuple[int, int],
        chosen: np.ndarray | None,
        columns: list[str] | None,
    ) -> Iterator[tuple[int, pa.Table]]:
        try:
            with pq.ParquetFile(self._entry.path / file.name) as parquet:
                for group in range(parquet.num_row_groups):
                    end = first + parquet.metadata.row_group(group).num_rows
                    wanted = first < span[1] and end > span[0]
                    if wanted and (chosen is None or chosen[first:end].any()):
                        yield first, parquet.read_row_group(group, columns)
                    first = end
        except (OSError, pa.ArrowException) as error:
            raise Unavailable(
                f"{file.name} of corpus {self.info.corpus_id} cannot be read "
                f"({str(error)[:200]}): restore it, or add the corpus again",
                id=self.info.corpus_id,
            ) from None


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=64):
        yield from batch.to_pylist()


def _changed(info: CorpusInfo, name: str, why: str) -> Conflict:
    return Conflict(
        f"{name} of corpus {info.corpus_id} is not the file that was added ({why}): restore it, or "
        "remove the corpus and add it again",
        id=info.corpus_id,
    )
