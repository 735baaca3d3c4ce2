"""A file, or a folder of files of one format, as a source."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from services.corpus.requests import FileFormat
from services.corpus.sources.csv_files import read_csv
from services.corpus.sources.json_lines import read_json
from services.corpus.sources.lines import Damaged, SourceFile, Stream, opened
from services.corpus.sources.pieces import Piece
from services.corpus.sources.tables import arrow_batches, parquet_batches, read_table
from services.corpus.sources.text import Separator, read_text
from services.errors import InvalidArgument, NotFound
from services.types import SkippedLine

_SUFFIXES = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".txt", ".text", ".md"), "text"),
}
_MOST_FILES = 100_000
_STATE, _SPLITS = "state.json", "dataset_dict.json"


class FileSource:
    """Files read one after the other, in the order of their names."""

    unit = "bytes"

    def __init__(
        self, name: str, format: str, files: list[SourceFile], separator: Separator = "file"
    ) -> None:
        self.name, self.format, self.files = name, format, files
        self.origin = name
        self.others: list[str] = []  # files of a folder that are of no such format
        self._separator = separator

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size for file in self.files)

    @property
    def total(self) -> int:
        """Bytes to read."""
        return self.size_bytes

    @property
    def done(self) -> int:
        """Bytes read."""
        return min(sum(file.position for file in self.files), self.total)

    @property
    def is_textual(self) -> bool:
        """Whether all values are text."""
        return self.format == "csv"

    def pieces(self) -> Iterator[Piece]:
        """All files, in order."""
        for file in self.files:
            try:
                yield from self._read(file)
            except Damaged as error:
                yield SkippedLine(file.name, None, str(error))
            except OSError as error:
                yield SkippedLine(file.name, None, f"cannot be read ({error.strerror or error})")
            file.position = file.size

    def _read(self, file: SourceFile) -> Iterator[Piece]:
        if self.format == "text":
            return read_text(file, self._separator)
        if self.format == "parquet":
            return read_table(file, parquet_batches)
        if self.format == "dataset":
            return read_table(file, arrow_batches)
        return (read_json if self.format == "jsonl" else read_csv)(file)


def open_files(
    place: Path,
    format: FileFormat,
    separator: Separator = "file",
    check: Callable[[list[Path]], None] = lambda files: None,
) -> FileSource:
    """The file or folder as a source. `check` raises for files that may not be read.

    Raises:
        InvalidArgument: there are files of several formats, or none.
        NotFound: a file went away.
    """
    try:
        if place.is_dir():
            return _open_folder(place, format, separator, check)
        check([place])
        if place.exists() and not place.is_file():
            raise InvalidArgument(f"{place.name} is no file and no folder")
        file = SourceFile(place, place.name)
        return FileSource(place.name, _format_of(place, format), [file], separator)
    except FileNotFoundError as error:
        raise NotFound(f"there is no {error.filename} any more") from None
    except OSError as error:
        raise InvalidArgument(f"{place.name} cannot be read ({error.strerror or error})") from None


def _open_folder(
    place: Path, format: FileFormat, separator: Separator, check: Callable[[list[Path]], None]
) -> FileSource:
    if (place / _SPLITS).is_file():
        splits = ", ".join(sorted(p.name for p in place.iterdir() if p.is_dir()))
        raise InvalidArgument(
            f"{place.name} holds the splits of a saved dataset: name one of them ({splits[:500]})"
        )
    if (place / _STATE).is_file() and (place / "dataset_info.json").is_file():
        there, paths, found = [], _saved(place), "dataset"
    else:
        there = _files_of(place)
        paths, found = _one_format(place, there, format)
    check(paths)
    files = [SourceFile(path, path.relative_to(place).as_posix()) for path in paths]
    source = FileSource(place.name, found, files, separator)
    taken = set(paths)
    source.others = [p.relative_to(place).as_posix() for p in there if p not in taken]
    return source


def _files_of(place: Path) -> list[Path]:
    """The files of a folder and below, hidden ones left out, by name."""
    return sorted(
        (path for path in place.rglob("*") if _is_shown(path, place) and path.is_file()),
        key=lambda path: path.relative_to(place).as_posix(),
    )


def _one_format(place: Path, there: list[Path], format: FileFormat) -> tuple[list[Path], str]:
    """Those files that are of the format, or of the only one that there is."""
    known = {path: kind for path in there if (kind := _by_name(path)) is not None}
    kinds = Counter(known.values())
    if format != "auto":
        kinds = Counter({format: kinds[format]}) if kinds[format] else Counter()
    if len(kinds) > 1:
        counts = ", ".join(f"{n} of {kind}" for kind, n in sorted(kinds.items()))
        raise InvalidArgument(f"{place.name} has files of several formats ({counts}): choose one")
    if not kinds:
        what = "" if format == "auto" else f" {format}"
        raise InvalidArgument(
            f"{place.name} has no{what} files: they end in {', '.join(_SUFFIXES)}, each also .gz"
        )
    if kinds.total() > _MOST_FILES:
        raise InvalidArgument(f"{place.name} has more than {_MOST_FILES:,} files: join them")
    (kind,) = kinds
    return [path for path, its in known.items() if its == kind], kind


def _is_shown(path: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def _saved(place: Path) -> list[Path]:
    """The Arrow files of a folder that `Dataset.save_to_disk` made."""
    try:
        state: Any = json.loads((place / _STATE).read_bytes())
        names = [str(file["filename"]) for file in state["_data_files"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidArgument(f"{_STATE} of {place.name} is damaged: save it again") from None
    for name in names:
        if Path(name).name != name:
            raise InvalidArgument(f"{_STATE} of {place.name} names a file outside of it")
    return [place / name for name in names]


def _by_name(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return _SUFFIXES.get(suffixes[-1]) if suffixes else None


def _format_of(path: Path, format: FileFormat) -> str:
    """What the file is: as it is said to be, else by its first bytes, else by its name."""
    if format != "auto":
        return format
    with opened(SourceFile(path, path.name)) as file:
        head = _head(file)
    if head.startswith(b"PAR1"):
        return "parquet"
    if named := _by_name(path):
        return named
    return "jsonl" if head.lstrip()[:1] in (b"{", b"[") else "text"


def _head(file: Stream) -> bytes:
    try:
        return file.read(4096)
    except Damaged:
        return b""
