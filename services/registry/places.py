"""Where things lie: which folders may be read, staging beside the final place, downloads.

Whatever is registered is made complete in a hidden folder of the same file system and appears
with one rename, so that nobody ever sees half of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from services.errors import Conflict, InvalidArgument, NotFound, ResourceExhausted, Unavailable
from services.registry.jobs import Job
from services.runs.catalogue import Kind
from services.settings import Settings

_ADDING, _REMOVED = ".adding-", ".removed-"
_LEFT_BEHIND_S = 24 * 3600
_LOOK_S = 0.1


def readable_place(path: str, settings: Settings, *, any_folder: bool) -> Path:
    """The folder or file that a request names, with all links resolved.

    Raises:
        InvalidArgument: it lies outside of the folders that may be read, or is no path.
        NotFound: it does not exist.
    """
    named = Path(path).expanduser()
    if not any_folder and not named.is_absolute():
        raise InvalidArgument(f"path {path[:200]!r} is relative: give it from the root on")
    try:
        place = named.resolve()
        if not any_folder:
            check_open([place], settings)
        exists = place.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidArgument(f"path {path[:200]!r} cannot be used: {error}") from None
    if not exists:
        raise NotFound(f"there is no {path[:500]} on the machine on which Actiscope runs")
    return place


def check_open(files: Iterable[Path], settings: Settings) -> None:
    """Refuse what lies, links resolved, outside of the folders that may be read.

    Raises:
        InvalidArgument: the message says how to open a folder.
    """
    roots = [root.resolve() for root in settings.open_folders]
    for file in files:
        if not any(file.resolve().is_relative_to(root) for root in roots):
            raise InvalidArgument(
                f"{str(file)[:500]} lies outside of the folders that pages and REST may read: add "
                "a folder above it to ACTISCOPE_LOCAL_ROOTS and restart, or use the command line "
                "(`actiscope sae|model|corpus add PATH`)"
            )


@contextmanager
def staging(home: Path, kind: Kind) -> Iterator[Path]:
    """A hidden folder, on the file system of the final place, that goes when the block ends."""
    root = home / kind
    try:
        root.mkdir(parents=True, exist_ok=True)
        _sweep(root)
        stage = root / f"{_ADDING}{uuid.uuid4().hex}"
        (stage / kind).mkdir(parents=True)
    except OSError as error:
        raise _disk_error(root, error) from None
    try:
        yield stage
    except OSError as error:
        raise _disk_error(root, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def put(staged: Path, target: Path) -> None:
    """Move what is complete to its place, in one step.

    Raises:
        Conflict: there is something already.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() or target.is_symlink():
        raise Conflict(f"{target.name} exists already: choose another id", id=target.name)
    try:
        os.replace(staged, target)
    except OSError as error:
        raise Conflict(f"{target.name} cannot be put in place ({error.strerror})") from None


def remove(root: Path, folder: Path) -> None:
    """Take a folder below `root` away: a link alone, or all its files, in one step for others."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        aside = root / f"{_REMOVED}{uuid.uuid4().hex}"
        os.replace(folder, aside)
        shutil.rmtree(aside, ignore_errors=True)
    with suppress(OSError):  # an owner's folder that is empty now
        if folder.parent != root:
            folder.parent.rmdir()


def is_free(roots: Iterable[Path], kind: Kind, id: str) -> bool:
    """Whether an entry of that id can be put in place: nothing is there, above it or below it."""
    for root in roots:
        place = root / kind / id
        above = [p for p in place.parents if p.parent == root / kind]
        marked = any((p / name).exists() for p in above for name in ("cfg.json", "config.json"))
        if marked or place.exists() or place.is_symlink():
            return False
    return True


class Taken:
    """Ids under which nothing more can be put in place."""

    def __init__(self, roots: Sequence[Path], kind: Kind) -> None:
        self._roots, self._kind = roots, kind

    def __contains__(self, id: object) -> bool:
        return not is_free(self._roots, self._kind, str(id))


def download_folder(home: Path, repo_id: str, revision: str) -> Path:
    """Where the files of a repository's commit are downloaded to, to be resumed there."""
    digest = hashlib.sha256(f"{repo_id}@{revision}".encode()).hexdigest()[:32]
    return home / "downloads" / digest


class Turns:
    """One task at a time per download folder."""

    def __init__(self) -> None:
        self._taken: set[Path] = set()
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, folder: Path, job: Job) -> Iterator[None]:
        """The folder for this job alone; waits for others, unless the job is cancelled."""
        while not self._take(folder):
            job.check()
            time.sleep(_LOOK_S)
        try:
            yield
        finally:
            self._give(folder)

    def if_free(self, folder: Path, work: Callable[[Path], None]) -> None:
        """Do `work` with the folder, unless some task has it."""
        if self._take(folder):
            try:
                work(folder)
            finally:
                self._give(folder)

    def _give(self, folder: Path) -> None:
        with self._lock:
            self._taken.discard(folder)

    def _take(self, folder: Path) -> bool:
        with self._lock:
            if folder in self._taken:
                return False
            self._taken.add(folder)
            return True


def _sweep(root: Path) -> None:
    """Remove what killed processes left behind."""
    for folder in root.iterdir():
        if folder.name.startswith((_ADDING, _REMOVED)):
            with suppress(OSError):
                if time.time() - folder.lstat().st_mtime > _LEFT_BEHIND_S:
                    shutil.rmtree(folder, ignore_errors=True)


def _disk_error(root: Path, error: OSError) -> ResourceExhausted | Unavailable:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceExhausted(f"the disk of {root} is full: make room, or change ACTISCOPE_HOME")
    return Unavailable(f"{root} cannot be written ({error.strerror}): change it or ACTISCOPE_HOME")
