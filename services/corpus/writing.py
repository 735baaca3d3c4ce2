"""Parquet files in row groups that fit into memory many times over, durable once closed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.corpus.manifest import CorpusFile, file_of

GROUP_ROWS, GROUP_BYTES = 1000, 8 * 2**20
FILE_BYTES = 512 * 2**20
"""Text per file, about."""


class TableWriter:
    """Rows into `<prefix>-00000.parquet` and so on; a context manager."""

    def __init__(self, folder: Path, prefix: str, schema: pa.Schema) -> None:
        self._folder, self._prefix, self._schema = folder, prefix, schema
        self._columns: dict[str, list[Any]] = {name: [] for name in schema.names}
        self._group_bytes = self._file_bytes = self._file_rows = 0
        self._writer: pq.ParquetWriter | None = None
        self.files: list[CorpusFile] = []

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is None:
            self._flush()
            self._close_file()
        elif self._writer is not None:
            self._writer.close()

    def add(self, row: Mapping[str, Any], n_bytes: int) -> None:
        """A row of about that size."""
        for name, column in self._columns.items():
            column.append(row.get(name))
        self._group_bytes += n_bytes
        n_rows = len(self._columns[self._schema.names[0]])
        if n_rows >= GROUP_ROWS or self._group_bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        table = pa.table(self._columns, schema=self._schema)
        if table.num_rows:
            if self._writer is None:
                self._writer = self._new_file()
            self._writer.write_table(table, row_group_size=table.num_rows)
            self._file_rows += table.num_rows
            self._file_bytes += self._group_bytes
        self._columns = {name: [] for name in self._schema.names}
        self._group_bytes = 0
        if self._file_bytes >= FILE_BYTES:
            self._close_file()

    def _new_file(self) -> pq.ParquetWriter:
        # Texts are hardly ever the same twice: a dictionary of them would only be in the way.
        strings = [f.name for f in self._schema if f.name not in ("name", "text", "metadata")]
        return pq.ParquetWriter(
            self._path, self._schema, compression="zstd", use_dictionary=strings,
            write_statistics=strings,
        )  # fmt: skip

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._prefix}-{len(self.files):05d}.parquet"

    def _close_file(self) -> None:
        if self._writer is not None:
            self._writer.close()
            sync(self._path)
            self.files.append(file_of(self._path, self._file_rows))
            self._writer, self._file_rows, self._file_bytes = None, 0, 0


def sync(path: Path) -> None:
    """Have the disk hold a file's content, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
