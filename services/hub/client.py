"""A model hub: repositories listed and downloaded."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from services.errors import InvalidArgument, Unavailable
from services.hub.connection import Connection
from services.hub.download import FileDownload, Progress, alone_in, check_room, clear
from services.hub.failures import NotAHub, Place, as_hub_error
from services.hub.interruptible import Stopped
from services.hub.listing import RepoFile, RepoListing, file_of
from services.hub.names import check_repo_id, check_revision, is_commit, is_safe_path

log = logging.getLogger(__name__)
_MOST_PAGES = 500  # of a thousand entries each


class Hub:
    """The hub at `endpoint`. The token goes there and nowhere else, and into no message."""

    def __init__(
        self,
        endpoint: str,
        token: str | None,
        offline: bool,
        *,
        timeout_s: float = 15,
        pause_s: float = 1,  # before the first retry; doubles
    ) -> None:
        if token is not None and not (token.isascii() and token.isprintable() and token.strip()):
            raise InvalidArgument("the hub token (ACTISCOPE_HUB_TOKEN, HF_TOKEN) is not one word")
        self.endpoint = endpoint.rstrip("/")
        self.is_offline = offline
        self._has_token = token is not None
        self._connection = Connection(self.endpoint, token, timeout_s, pause_s)

    def __repr__(self) -> str:
        return f"Hub({self.endpoint!r}, offline={self.is_offline})"

    def listing(self, repo_id: str, revision: str | None = None) -> RepoListing:
        """What the repository holds at a revision.

        Raises:
            InvalidArgument: no repository can be named so.
            NotFound, Forbidden, Busy, Unavailable: as the hub says, with what to do.
        """
        place = self._place(repo_id, check_revision(revision))
        try:
            about = self._model(place)
            at_commit = dataclasses.replace(place, revision=about["sha"])
            files = tuple(sorted(self._files(at_commit), key=lambda file: file.path))
        except Exception as error:
            raise as_hub_error(error, place) from None
        return RepoListing(repo_id, about["sha"], files)

    def download(
        self,
        listing: RepoListing,
        paths: Iterable[str],
        target: Path,
        progress: Callable[[int, int], None] = lambda done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Mapping[str, str]:
        """The named files into the folder `target`, verified; the sha256 of each by its path.

        What is complete there is verified and not fetched again, what is not is continued.
        `progress` gets bytes done and in all.

        Raises:
            Stopped: `should_stop` said so; what is there is kept.
            ResourceExhausted: the disk does not hold it.
            Conflict: another process downloads into the same folder.
            NotFound, Forbidden, Busy, Unavailable: as the hub says, with what to do.
        """
        files = _checked(listing, paths)
        place = self._place(listing.repo_id, listing.revision)
        target.mkdir(parents=True, exist_ok=True)
        with alone_in(target, place) as partial:
            downloads = {
                file.path: FileDownload(
                    self._connection, dataclasses.replace(place, path=file.path), file,
                    target / file.path, partial,
                )
                for file in files
            }  # fmt: skip
            total = sum(file.size for file in files)
            check_room(target, total - sum(d.present() for d in downloads.values()), place)
            log.info("%s@%s: %d files, %d bytes", place.repo_id, place.revision, len(files), total)
            told = Progress(total, progress)
            found = {path: self._run(downloads[path], told, should_stop) for path in downloads}
            clear(partial)
        return found

    def _run(
        self, download: FileDownload, progress: Progress, should_stop: Callable[[], bool]
    ) -> str:
        try:
            return download.run(progress, should_stop)
        except Stopped:
            raise
        except Exception as error:
            raise as_hub_error(error, download.place) from None

    def _place(self, repo_id: str, revision: str) -> Place:
        check_repo_id(repo_id)
        if self.is_offline:
            raise Unavailable(
                f"offline mode is on, so {repo_id} is not asked for: unset ACTISCOPE_OFFLINE (or "
                "HF_HUB_OFFLINE) and start again, or add it from a local folder",
                repo_id=repo_id,
            )
        return Place(self.endpoint, self._has_token, repo_id, revision)

    def _model(self, place: Place) -> Mapping[str, Any]:
        revision = quote(place.revision, safe="")
        about, _ = self._connection.json(f"/api/models/{place.repo_id}/revision/{revision}")
        if not isinstance(about, dict) or not is_commit(about.get("sha")):
            raise NotAHub("no commit in its answer")
        return about

    def _files(self, place: Place) -> Iterable[RepoFile]:
        tree = f"/api/models/{place.repo_id}/tree/{place.revision}"
        query: str | None = "recursive=true"
        for _ in range(_MOST_PAGES):
            entries, query = self._connection.json(f"{tree}?{query}")
            try:
                yield from (file_of(e) for e in entries if e.get("type") == "file")
            except (AttributeError, KeyError, TypeError, ValueError):
                raise NotAHub("a listing that is none") from None
            if query is None:
                return
        raise NotAHub("a listing without end")


def _checked(listing: RepoListing, paths: Iterable[str]) -> tuple[RepoFile, ...]:
    if not is_commit(listing.revision):
        raise InvalidArgument(f"{listing.revision[:100]!r} is no commit; list the repository first")
    files = listing.chosen(paths)
    for file in files:
        if file.size < 0 or not is_safe_path(file.path):
            raise InvalidArgument(
                f"{listing.repo_id} lists a file {file.path[:200]!r}, and no such file is written",
                path=file.path[:200],
            )
    return files
