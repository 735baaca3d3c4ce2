"""Files on their way to a corpus: sent, or named by the command line; gone after a day."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO

from services.errors import InvalidArgument, NotFound, TooLarge, Unavailable
from services.store.storage import disk_errors
from services.text import storable

_KEPT_S = 24 * 3600
_CHUNK = 2**20
_RECEIVING = ".receiving-"


class Uploads:
    """Folders `<home>/uploads/<id>/`, each with one file, or a link that the command line made."""

    def __init__(self, home: Path, most_bytes: int) -> None:
        self._root, self._most_bytes = home / "uploads", most_bytes

    def receive(self, stream: IO[bytes], file_name: str, expected: int | None = None) -> str:
        """Keep what the stream gives; the upload's id. Nothing is kept of half an upload.

        Raises:
            InvalidArgument: the name is none, or the stream is empty or ends too early.
            TooLarge: more than may be sent.
            ResourceExhausted: the disk is full.
        """
        name = _safe(file_name)
        if expected is not None and expected > self._most_bytes:
            raise self._too_large()
        upload_id = uuid.uuid4().hex
        staged = self._root / f"{_RECEIVING}{upload_id}"
        try:
            with disk_errors("an upload"):
                self.sweep()
                staged.mkdir(parents=True)
                self._copy(stream, staged / name, expected)
                os.replace(staged, self._root / upload_id)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return upload_id

    def link(self, place: Path) -> str:
        """An upload that is a file or folder of this machine, where it lies.

        For the command line: a server may then work on it, whatever folders are open to pages.
        """
        self.sweep()
        upload_id = uuid.uuid4().hex
        folder = self._root / upload_id
        folder.mkdir(parents=True)
        (folder / _safe(place.name or "root")).symlink_to(place.resolve())
        return upload_id

    def get(self, upload_id: str) -> Path:
        """The file, or the link.

        Raises:
            NotFound: there is none any more.
        """
        folder = self._root / upload_id
        files = list(folder.iterdir()) if folder.is_dir() else []
        if len(files) != 1 or not files[0].exists():
            raise NotFound(
                f"there is no upload {upload_id[:32]} (any more: they are kept for a day): send "
                "the file again"
            )
        return files[0]

    def remove(self, upload_id: str) -> None:
        """It is not needed any more."""
        shutil.rmtree(self._root / upload_id, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what is older than a day, halves included."""
        with suppress(FileNotFoundError):
            for folder in self._root.iterdir():
                with suppress(OSError):
                    if time.time() - folder.lstat().st_mtime > _KEPT_S:
                        shutil.rmtree(folder, ignore_errors=True)

    def _copy(self, stream: IO[bytes], target: Path, expected: int | None) -> None:
        n_bytes = 0
        with target.open("xb") as file:
            while data := _read(stream):
                n_bytes += len(data)
                if n_bytes > self._most_bytes:
                    raise self._too_large()
                file.write(data)
        if not n_bytes:
            raise InvalidArgument("the file is empty")
        if expected is not None and n_bytes != expected:
            raise InvalidArgument(
                f"only {n_bytes:,} of {expected:,} bytes came: send the file again"
            )

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"the file has more than {self._most_bytes // 10**6:,} MB: split it, compress it with "
            "gzip, raise ACTISCOPE_MAX_UPLOAD_MB, or use `actiscope corpus add`"
        )


def _read(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(_CHUNK)
    except OSError as error:
        raise Unavailable(f"the upload broke off ({error.strerror or error})") from None


def _safe(file_name: str) -> str:
    """The last part of a name, with nothing in it that a file system or a terminal minds."""
    last = re.split(r"[/\\]", storable(file_name))[-1].strip()
    name = "".join(c if c.isprintable() and c not in ':*?"<>|' else "_" for c in last)
    stem, dot, suffixes = name.partition(".")
    name = (stem[:100] + dot + suffixes[-60:]).lstrip(".")
    if not name or len(name.encode()) > 250:
        raise InvalidArgument("give the file's name, of at most 60 characters", field="file_name")
    return name
