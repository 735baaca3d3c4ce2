"""Files into a folder: continued where they broke off, verified before they get their name."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from services.errors import Conflict, ResourceExhausted, Unavailable
from services.hub.connection import Connection
from services.hub.failures import Place, WrongSize, is_transient
from services.hub.interruptible import Stopped, interruptible, wait
from services.hub.listing import RepoFile

PARTIAL = ".partial"  # folder of what is not complete yet
_LOCK = "lock"
_READ = 2**20
_TRIES_WITHOUT_PROGRESS = 4
_TELL_EVERY_S = 0.1
_SPARE_BYTES = 64 * 2**20  # left free on the disk: databases and logs want to write too


class Progress:
    """Bytes done of all; only ever grows, and is told at most ten times a second."""

    def __init__(self, total: int, tell: Callable[[int, int], None]) -> None:
        self._total = total
        self._tell = tell
        self._done = 0
        self._told_at = 0.0
        tell(0, total)

    def advance(self, count: int) -> None:
        """`count` more bytes are here."""
        self._done += count
        now = time.monotonic()
        if now - self._told_at >= _TELL_EVERY_S or self._done >= self._total:
            self._told_at = now
            self._tell(self._done, self._total)


class FileDownload:
    """One file of a repository, on its way to `target`."""

    def __init__(
        self, connection: Connection, place: Place, file: RepoFile, target: Path, partial: Path
    ) -> None:
        self._connection = connection
        self.place = place
        self._file = file
        self._target = target
        identity = f"{file.path}\n{file.size}\n{file.sha256 or file.git_sha1}"
        self._part = partial / hashlib.sha256(identity.encode()).hexdigest()[:32]
        self._done = 0
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)

    def present(self) -> int:
        """How many of the file's bytes are on the disk already."""
        if self._is_there():
            return self._file.size
        size = self._part.stat().st_size if self._part.is_file() else 0
        return size if size <= self._file.size else 0

    def run(self, progress: Progress, should_stop: Callable[[], bool]) -> str:
        """Download what is missing; the content's sha256. What is wrong is removed."""
        is_there = self._is_there()
        path = self._target if is_there else self._part
        try:
            self._take_up(path, progress, should_stop)
            self._fetch_rest(progress, should_stop)
        except WrongSize as error:
            self._part.unlink(missing_ok=True)
            raise self._wrong(f"is served with another size than listed ({error})") from None
        self._verify(path)
        if not is_there:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self._part, self._target)
        return self._sha256.hexdigest()

    def _is_there(self) -> bool:
        return self._target.is_file() and self._target.stat().st_size == self._file.size

    def _take_up(self, path: Path, progress: Progress, should_stop: Callable[[], bool]) -> None:
        if not path.is_file() or path.stat().st_size > self._file.size:
            path.write_bytes(b"")
        with path.open("rb") as stored:
            while chunk := stored.read(_READ):
                if should_stop():
                    raise Stopped
                self._count(chunk, progress)

    def _fetch_rest(self, progress: Progress, should_stop: Callable[[], bool]) -> None:
        attempt = 0
        while self._done < self._file.size:
            before = self._done
            try:
                self._fetch(progress, should_stop)
                error: Exception = WrongSize(f"it ends after {self._done} bytes")
            except Exception as raised:
                if not is_transient(raised):
                    raise
                error = raised
            if self._done == self._file.size:
                return
            attempt = 1 if self._done > before else attempt + 1
            if attempt >= _TRIES_WITHOUT_PROGRESS:
                raise error
            wait(self._connection.pause_s * 2 ** (attempt - 1), should_stop)

    def _fetch(self, progress: Progress, should_stop: Callable[[], bool]) -> None:
        name = quote(self._file.path)
        place = self.place
        path = f"/{place.repo_id}/resolve/{place.revision}/{name}"
        size, offset = self._file.size, self._done
        arriving = interruptible(lambda: self._connection.chunks(path, size, offset), should_stop)
        with closing(arriving), self._part.open("ab") as part:
            for chunk in arriving:
                if self._done + len(chunk) > size:
                    raise WrongSize(f"it goes on after {size} bytes")
                part.write(chunk)
                self._count(chunk, progress)
            part.flush()
            os.fsync(part.fileno())

    def _count(self, chunk: bytes, progress: Progress) -> None:
        self._sha256.update(chunk)
        if self._file.sha256 is None:
            self._git.update(chunk)
        self._done += len(chunk)
        progress.advance(len(chunk))

    def _verify(self, path: Path) -> None:
        file = self._file
        if file.sha256 is not None:
            is_right = self._sha256.hexdigest() == file.sha256
        else:
            is_right = file.git_sha1 in (None, self._git.hexdigest())
        if not is_right:
            path.unlink(missing_ok=True)
            raise self._wrong("does not have the content that the hub lists (its hash differs)")

    def _wrong(self, what: str) -> Unavailable:
        return Unavailable(
            f"{self.place.repo_id}: {self._file.path} {what}; it was removed. Download it "
            "again; if that does not help, the repository or a proxy is at fault",
            repo_id=self.place.repo_id,
            path=self._file.path,
        )


def check_room(folder: Path, missing: int, place: Place) -> None:
    """Refuse a download that cannot fit on the disk."""
    free = shutil.disk_usage(folder).free
    if missing + _SPARE_BYTES > free:
        raise ResourceExhausted(
            f"{place.repo_id} needs {missing / 1e9:.2f} GB more, and the disk of the data folder "
            f"has {free / 1e9:.2f} GB left: make room, or move the data folder (ACTISCOPE_HOME)",
            needed_bytes=missing,
            free_bytes=free,
        )


@contextmanager
def alone_in(folder: Path, place: Place) -> Iterator[Path]:
    """The folder for partial files, for this download only."""
    from filelock import FileLock, Timeout

    partial = folder / PARTIAL
    partial.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(partial / _LOCK, timeout=0):
            yield partial
    except Timeout:
        raise Conflict(
            f"{place.repo_id} is being downloaded already: wait for it, or cancel it",
            repo_id=place.repo_id,
        ) from None


def clear(partial: Path) -> None:
    """Remove what is not needed any more; not the lock, which another download may wait for."""
    for file in partial.iterdir():
        if file.name != _LOCK:
            file.unlink(missing_ok=True)
