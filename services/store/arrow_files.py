"""Arrow IPC files, uncompressed, and where in them the bytes of each column are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import ipc


def required(name: str, kind: pa.DataType) -> pa.Field:
    """A column without nulls, and so without a validity bitmap."""
    return pa.field(name, kind, nullable=False)


def item(kind: pa.DataType) -> pa.Field:
    """The field of a list's items, without nulls."""
    return pa.field("item", kind, nullable=False)


def lists(offsets: np.ndarray, items: np.ndarray, kind: pa.DataType) -> pa.Array:
    """`items` cut at `offsets` [rows + 1] as a list column of type `kind`, without a copy."""
    array_type = pa.LargeListArray if pa.types.is_large_list(kind) else pa.ListArray
    values = pa.Array.from_buffers(kind.value_type, len(items), [None, pa.py_buffer(items)])
    return array_type.from_arrays(pa.array(offsets), values, type=kind)


def write(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write the batches as one file."""
    with pa.OSFile(str(path), "wb") as file, ipc.new_file(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def buffer_offsets(path: Path) -> list[Mapping[str, int]]:
    """Per batch the byte offset of each column's values: of a list `<name>.indptr` and `<name>`.

    A column of no bytes is at 0.
    """
    with pa.memory_map(str(path)) as file:
        whole = file.read_buffer(file.size())
        reader = ipc.open_file(whole)
        return [
            _batch_offsets(reader.get_batch(i), whole.address)
            for i in range(reader.num_record_batches)
        ]


def _batch_offsets(batch: pa.RecordBatch, base: int) -> dict[str, int]:
    found = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if hasattr(column, "values") and hasattr(column, "offsets"):
            found[f"{name}.indptr"] = _at(column.buffers()[1], base)
            column = column.values
        found[name] = _at(column.buffers()[1], base)
    return found


def _at(buffer: pa.Buffer | None, base: int) -> int:
    return buffer.address - base if buffer is not None and buffer.size else 0
