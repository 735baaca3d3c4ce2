"""`documents.parquet`: where each document begins, how long it is, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.store.arrow_files import required
from services.store.manifest import File, Part
from services.store.parquet_files import write_parquet
from services.store.parts import PartReader
from services.store.spec import StoreSpec
from services.store.storage import Storage

_ROWS_PER_GROUP = 2**16


def schema(spec: StoreSpec) -> pa.Schema:
    """The columns of the file."""
    return pa.schema(
        [
            required("document", pa.uint32()),
            required("start", pa.uint32()),
            required("n_tokens", pa.uint32()),
            required("n_counted", pa.uint32()),
            *spec.document_fields,
        ]
    )


@dataclass(frozen=True, slots=True)
class _Begun:
    """The documents that begin in one part; how long the last one is, the next part tells."""

    table: pa.Table
    start: np.ndarray  # [n] int64: position of the first token
    counted: np.ndarray  # [n] int64: counted tokens before it


def tables(storage: Storage, spec: StoreSpec, parts: Sequence[Part]) -> Iterator[pa.Table]:
    """The documents that begin in `parts`, part by part, as the file has them."""
    waiting: _Begun | None = None
    base = counted = number = 0
    for part in parts:
        if part.n_documents:
            begun = _begun(storage, spec, part, base, counted)
            if waiting is not None:
                end = (int(begun.start[0]), int(begun.counted[0]))
                yield _listed(waiting, spec, number, end)
                number += len(waiting.start)
            waiting = begun
        base, counted = base + part.n_tokens, counted + part.n_counted
    if waiting is not None:
        yield _listed(waiting, spec, number, (base, counted))


def _begun(storage: Storage, spec: StoreSpec, part: Part, base: int, counted: int) -> _Begun:
    table = pq.read_table(storage.arrow(part.documents.path))
    start = table.column("start").to_numpy().astype(np.int64)
    reader = PartReader(storage.source(part.file.path), part, spec)
    before = np.concatenate([[0], np.cumsum(reader.flags("counted", 0, part.n_tokens))])
    return _Begun(table, start + base, before[start] + counted)


def _listed(begun: _Begun, spec: StoreSpec, number: int, end: tuple[int, int]) -> pa.Table:
    columns = [
        pa.array(np.arange(number, number + len(begun.start)), pa.uint32()),
        pa.array(begun.start, pa.uint32()),
        pa.array(np.diff(begun.start, append=end[0]), pa.uint32()),
        pa.array(np.diff(begun.counted, append=end[1]), pa.uint32()),
        *(begun.table.column(field.name) for field in spec.document_fields),
    ]
    return pa.Table.from_arrays(columns, schema=schema(spec))


def write(storage: Storage, spec: StoreSpec, parts: Sequence[Part], path: str) -> File:
    """Write the file, in row groups that do not depend on how the parts were cut."""
    return write_parquet(storage, path, schema(spec), tables(storage, spec, parts), _ROWS_PER_GROUP)
