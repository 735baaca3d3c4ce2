"""Downloading a repository's files into the folder where an interrupted download resumes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from services.registry.jobs import Job, Stopped
from services.registry.parts import Parts
from services.registry.places import download_folder

if TYPE_CHECKING:
    from services.hub import RepoListing

_KEPT_S = 7 * 24 * 3600


@contextmanager
def turn(parts: Parts, listing: RepoListing, job: Job) -> Iterator[Path]:
    """The commit's download folder, for this task alone."""
    folder = download_folder(parts.settings.home, listing.repo_id, listing.revision)
    with parts.turns.turn(folder, job):
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # when it was last used
        _sweep(parts, folder.parent)
        yield folder


def _sweep(parts: Parts, root: Path) -> None:
    """Remove downloads that nobody has gone on with for a week."""
    for folder in root.iterdir():
        with suppress(OSError):
            if time.time() - folder.lstat().st_mtime > _KEPT_S:
                parts.turns.if_free(folder, partial(shutil.rmtree, ignore_errors=True))


def download(
    parts: Parts, listing: RepoListing, paths: Sequence[str], job: Job
) -> Mapping[str, str]:
    """The sha256 of each file, which is in the download folder now, complete and verified.

    Raises:
        Stopped: the task was cancelled; what has arrived stays for the next time.
    """
    from services.hub import Stopped as HubStopped

    folder = download_folder(parts.settings.home, listing.repo_id, listing.revision)
    sizes = {file.path: file.size for file in listing.files}
    job.begin("downloading", sum(sizes.get(path) or 0 for path in paths), "bytes")
    try:
        return parts.hub.download(listing, paths, folder, job.progress, job.should_stop)
    except HubStopped:
        raise Stopped from None
