"""The documents of a store: where they begin, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from services.errors import InvalidArgument, NotFound
from services.store import documents
from services.store.manifest import Manifest, Part
from services.store.spec import StoreSpec
from services.store.storage import Storage

Where: TypeAlias = Mapping[str, Any] | pc.Expression


@dataclass(frozen=True, slots=True)
class Document:
    """One document of the corpus."""

    document: int
    name: str
    start: int  # position of its first token
    n_tokens: int
    n_counted: int
    metadata: Mapping[str, Any]


class DocumentSide:
    """Documents, read when they are first asked for."""

    def __init__(
        self, storage: Storage, spec: StoreSpec, manifest: Manifest, parts: Sequence[Part]
    ) -> None:
        self._storage, self._spec, self._parts = storage, spec, parts
        generation = manifest.generation if manifest.complete else None
        self._file = generation.documents if generation else None

    @property
    def n_documents(self) -> int:
        """Documents that begin in the readable parts."""
        return sum(part.n_documents for part in self._parts)

    @cached_property
    def starts(self) -> np.ndarray:
        """Position of each document's first token [n_documents] int64."""
        return self.column("start").to_numpy().astype(np.int64)

    def column(self, name: str) -> pa.ChunkedArray:
        """One column over all documents."""
        return self.table([name]).column(name)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All documents; InvalidArgument names a column that there is not."""
        names = documents.schema(self._spec).names
        for name in columns or ():
            if name not in names:
                raise InvalidArgument(f"documents have no column {name!r}", columns=names)
        chosen = names if columns is None else list(columns)
        if self._file is not None:
            return pq.read_table(self._storage.arrow(self._file.path), columns=chosen)
        return self._live.select(chosen)

    @cached_property
    def _live(self) -> pa.Table:
        found = list(documents.tables(self._storage, self._spec, self._parts))
        return pa.concat_tables([documents.schema(self._spec).empty_table(), *found])

    def slice(self, start: int, stop: int) -> pa.Table:
        """Documents `start` to `stop` - 1, as many as there are, without reading all others."""
        if self._file is None:
            return self._live.slice(start, stop - start)
        with pq.ParquetFile(self._storage.arrow(self._file.path)) as file:
            ends = np.cumsum(
                [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            )
            first, last = np.searchsorted(ends, [start, stop - 1], side="right")
            groups = list(range(first, min(last + 1, file.num_row_groups)))
            before = int(ends[first - 1]) if first else 0
            return file.read_row_groups(groups).slice(start - before, stop - start)

    def document(self, number: int) -> Document:
        """One document; NotFound when there are fewer."""
        if not 0 <= number < self.n_documents:
            raise NotFound(
                f"the store has the documents 0 to {self.n_documents - 1}, not {number}",
                n_documents=self.n_documents,
            )
        (row,) = self.slice(number, number + 1).to_pylist()
        plain = {k: row.pop(k) for k in ("document", "name", "start", "n_tokens", "n_counted")}
        return Document(**plain, metadata=row)

    def numbers_at(self, positions: np.ndarray) -> np.ndarray:
        """The document of each position [n]."""
        return np.searchsorted(self.starts, positions, side="right") - 1

    def span_at(self, position: int) -> tuple[int, int | None]:
        """First position of the document around `position`, and of the next one if there is."""
        number = int(self.numbers_at(np.array([position]))[0])
        after = number + 1
        return int(self.starts[number]), (
            int(self.starts[after]) if after < len(self.starts) else None
        )

    def chosen(self, where: Where) -> np.ndarray:
        """Whether `where` holds, [n_documents] bool: an expression of pyarrow over the columns, or
        a mapping from columns to a value or a list of values.
        """
        table = self.table(None if isinstance(where, pc.Expression) else [*where, "document"])
        mask = np.zeros(self.n_documents, bool)
        try:
            expression = _expression(where, table.schema)
            table = table.append_column("#", pa.array(np.arange(self.n_documents)))
            mask[table.filter(expression).column("#").to_numpy()] = True
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise InvalidArgument(f"the filter does not fit the documents: {error}") from None
        return mask


def _expression(where: Where, schema: pa.Schema) -> pc.Expression:
    if isinstance(where, pc.Expression):
        return where
    found = pc.scalar(True)
    for name, value in where.items():
        values = list(value) if isinstance(value, list | tuple | set) else [value]
        found = found & pc.field(name).isin(pa.array(values, schema.field(name).type))
    return found


def document_count(numbers: np.ndarray) -> int:
    """How many different ones among the ascending document `numbers`."""
    return int(np.count_nonzero(np.diff(numbers))) + bool(len(numbers))
