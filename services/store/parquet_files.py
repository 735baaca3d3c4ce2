"""Parquet files whose bytes depend on their rows alone, not on how these arrived."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.store.manifest import File
from services.store.storage import Storage


def write_parquet(
    storage: Storage,
    path: str,
    schema: pa.Schema,
    tables: Iterable[pa.Table],
    rows_per_group: int,
    **options: Any,
) -> File:
    """Write all rows in groups of `rows_per_group`, with zstd unless `options` say otherwise."""
    options = {"compression": "zstd", **options}
    with storage.writing(path) as file, pq.ParquetWriter(file.local, schema, **options) as writer:
        for table in rechunked(tables, rows_per_group):
            writer.write_table(table, row_group_size=rows_per_group)
    return file.committed


def rechunked(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of `rows` each, however they came."""
    waiting: pa.Table | None = None
    for table in tables:
        waiting = table if waiting is None else pa.concat_tables([waiting, table])
        while waiting.num_rows >= rows:
            yield waiting.slice(0, rows).combine_chunks()
            waiting = waiting.slice(rows)
    if waiting is not None and waiting.num_rows:
        yield waiting.combine_chunks()
