"""Parquet files, and the Arrow files that `datasets` saves; a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.corpus.sources.lines import SourceFile
from services.corpus.sources.pieces import Piece, Row
from services.types import SkippedLine

_ROWS = 256
_BUFFER = 2**20

Batches = Callable[[SourceFile], Iterator[pa.RecordBatch]]


def parquet_batches(file: SourceFile) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file; column chunks are read piece by piece, however large."""
    with pq.ParquetFile(file.path, buffer_size=_BUFFER, pre_buffer=False) as parquet:
        done, total = 0, max(parquet.metadata.num_rows, 1)
        for batch in parquet.iter_batches(_ROWS):
            yield batch
            done += batch.num_rows
            file.position = file.size * done // total


def arrow_batches(file: SourceFile) -> Iterator[pa.RecordBatch]:
    """The rows of a file that `datasets` saved, mapped into memory."""
    with pa.memory_map(str(file.path)) as source, pa.ipc.open_stream(source) as reader:
        for batch in reader:
            for start in range(0, batch.num_rows, _ROWS):
                yield batch.slice(start, _ROWS)
            file.position = source.tell()


def read_table(file: SourceFile, batches: Batches) -> Iterator[Piece]:
    """A row per row; what a damaged file still gives, and that the rest is lost."""
    line = 0
    try:
        for batch in batches(file):
            for row in _rows(batch):
                line += 1
                yield _piece(file, line, row)
    except (OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:300]
        yield SkippedLine(file.name, line + 1, f"the file is damaged ({reason}); nothing after it")


def _piece(file: SourceFile, line: int, row: dict[str, Any] | str) -> Piece:
    if isinstance(row, str):
        return SkippedLine(file.name, line, row)
    return Row(file.name, line, row)


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | str]:
    """Each row, or why it cannot be read: pyarrow refuses a batch for one wrong byte in it."""
    names = batch.schema.names
    if len(set(names)) < len(names):
        raise pa.ArrowInvalid("two columns have the same name")
    try:
        rows: Iterator[Any] = iter(batch.to_pylist())
    except (UnicodeDecodeError, ValueError, OverflowError):
        rows = (_one(batch.slice(i, 1)) for i in range(batch.num_rows))
    for row in rows:
        yield row if isinstance(row, str) else {n: plain(v) for n, v in row.items()}


def _one(batch: pa.RecordBatch) -> dict[str, Any] | str:
    try:
        return batch.to_pylist()[0]
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, OverflowError) as error:
        return f"a value cannot be read: {error}"


def plain(value: Any) -> Any:
    """`value` as JSON knows it: dates and decimals as text. Bytes stay, and are left out later."""
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (Decimal, timedelta)):
        return str(value)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
