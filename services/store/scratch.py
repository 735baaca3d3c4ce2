"""Large arrays in an unnamed temporary file, so that memory stays bounded whatever their size."""

from __future__ import annotations

import mmap
import tempfile

import numpy as np

_IN_MEMORY = 2**25  # bytes: smaller arrays are ordinary ones


class Scratch:
    """Makes arrays; those that are large are pages of a file that has no name."""

    def __init__(self, folder: str | None = None, in_memory: int = _IN_MEMORY) -> None:
        self._folder, self._in_memory = folder, in_memory

    def empty(self, n: int, dtype: np.dtype) -> np.ndarray:
        """[n] of arbitrary content."""
        n_bytes = n * dtype.itemsize
        if n_bytes <= self._in_memory:
            return np.empty(n, dtype)
        with tempfile.TemporaryFile(dir=self._folder) as file:
            file.truncate(n_bytes)
            return np.frombuffer(mmap.mmap(file.fileno(), n_bytes), dtype)
