"""Arrays in `.npz` files: a zip of `.npy` files, of which only plain numbers are read."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from services.lm.weight_files import TensorSpec, broken, opened

_DTYPES = {
    "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8",
    "u1": "U8", "b1": "BOOL",
}  # fmt: skip
_HEADER_MAX = 10_000  # numpy's own limit; longer ones are costly to parse
_ENTRIES_MAX = 1000


def read_specs(path: Path) -> dict[str, TensorSpec]:
    """What the arrays are, from their headers; `Unsupported` when they are not all numbers."""
    specs = {}
    with _opened(path) as archive:
        for entry in _entries(path, archive):
            with archive.open(entry) as file:
                shape, _, dtype = _header(path, entry.filename, file)
                if file.tell() + int(np.prod(shape, dtype=object)) * dtype.itemsize != (
                    entry.file_size
                ):
                    problem = f"has other bytes in {entry.filename[:80]} than its shape says"
                    raise broken(path, problem, "copy or download it again")
            specs[entry.filename.removesuffix(".npy")] = TensorSpec(_DTYPES[dtype.str[1:]], shape)
    return specs


def read_values(path: Path, name: str) -> np.ndarray[Any, Any]:
    """One array, little-endian and in C order."""
    with _opened(path) as archive, archive.open(f"{name}.npy") as file:
        shape, is_fortran, dtype = _header(path, name, file)
        values = np.empty(int(np.prod(shape)), dtype)
        view, done = values.view(np.uint8).data, 0
        while done < len(view):
            n = file.readinto(view[done:])  # type: ignore[attr-defined]
            if not n:
                raise broken(path, f"ends inside {name}", "copy or download it again")
            done += n
        file.read(1)  # at the end the archive checks its checksum
    array = values.reshape(shape, order="F" if is_fortran else "C")
    return np.ascontiguousarray(array, dtype=dtype.newbyteorder("<"))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; whatever goes wrong while it is read is told as the file's fault."""
    try:
        with opened(path) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, OSError, EOFError, LookupError, ValueError) as error:
        raise broken(path, f"is no readable .npz ({str(error)[:80]})", "copy it again") from None
    except (RuntimeError, zlib.error, lzma.LZMAError) as error:
        raise broken(path, f"is damaged ({str(error)[:80]})", "copy it again") from None


def _entries(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    strange = [e.filename for e in entries if not e.filename.endswith(".npy")]
    if strange or not entries or len(entries) > _ENTRIES_MAX:
        said = f"holds {strange[0][:80]!r}" if strange else f"holds {len(entries)} arrays"
        raise broken(path, f"is no archive of arrays ({said})", "save it again with numpy.savez")
    if len({e.filename for e in entries}) != len(entries):
        raise broken(path, "holds a name twice", "save it again with numpy.savez")
    return entries


def _header(path: Path, name: str, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            read = np.lib.format.read_array_header_1_0
        elif version == (2, 0):
            read = np.lib.format.read_array_header_2_0
        else:
            raise ValueError(f"version {version}")
        shape, is_fortran, dtype = read(file, max_header_size=_HEADER_MAX)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        problem = f"has a malformed header in {name[:80]} ({str(error)[:80]})"
        raise broken(path, problem, "copy or download it again") from None
    if dtype.hasobject:
        problem = f"holds pickled objects in {name[:80]}"
        raise broken(path, problem, "pickles are never loaded; save plain numbers")
    if dtype.str[1:] not in _DTYPES or min((0, *shape)) < 0:
        raise broken(path, f"keeps {name[:80]} as {dtype.str}", "save it as float32")
    return shape, is_fortran, dtype
