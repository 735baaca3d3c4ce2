"""A dataset of the hub, read row by row with the library `datasets`; nothing is kept of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from services.corpus.requests import Dataset
from services.corpus.sources.pieces import Piece, Row
from services.corpus.sources.tables import plain
from services.errors import (
    ActiscopeError,
    InvalidArgument,
    NotFound,
    Unavailable,
    Unsupported,
)
from services.hub.names import check_repo_id, check_revision
from services.settings import Settings

_RETRIES, _PAUSE_S = 3, 2


class DatasetSource:
    """A split of a dataset. Its builder never runs code of the repository."""

    format, unit = "dataset", "documents"
    size_bytes, is_textual = None, False

    def __init__(self, asked: Dataset, settings: Settings) -> None:
        self._asked, self._settings = asked, settings
        self.name = asked.repo_id.rsplit("/", 1)[-1]
        parts = (asked.repo_id, asked.config, asked.split)
        self.origin = ", ".join(part for part in parts if part)
        self.origin += f" at {asked.revision}" if asked.revision else ""
        self.total = asked.max_documents
        self.done = 0
        check_repo_id(asked.repo_id)
        check_revision(asked.revision)

    def pieces(self) -> Iterator[Piece]:
        """The rows of the split, as many as were asked for."""
        rows = _refined(self._asked, iter(self._opened()))
        for row in islice(rows, self._asked.max_documents):
            self.done += 1
            values = {str(name): plain(value) for name, value in row.items()}
            yield Row(self._asked.repo_id, self.done, values)

    def check(self) -> None:
        """Raise Unavailable or Unsupported when no dataset can be read by this server."""
        _library(self._settings)
        _not_packaged(self._asked.repo_id)

    def _opened(self) -> Any:
        datasets = _library(self._settings)
        asked, token = self._asked, self._settings.hub_token
        try:
            found = datasets.load_dataset(
                # With this prefix no folder of this machine is meant.
                f"hf://datasets/{_not_packaged(asked.repo_id)}",
                asked.config,
                split=asked.split,
                revision=asked.revision,
                streaming=True,
                token=False if token is None else token.get_secret_value(),
            )
            return found.decode(False)
        except Exception as error:
            raise _as_product_error(asked, error) from None


def _library(settings: Settings) -> Any:
    """The library, set to this server's hub."""
    if settings.offline:
        raise Unavailable(
            "this server is offline (ACTISCOPE_OFFLINE), and the dataset would come from the hub: "
            "save it elsewhere with `dataset.save_to_disk(folder)` and add the folder"
        )
    try:
        import datasets
    except ImportError:
        raise Unsupported(
            "datasets of the hub need the Python package `datasets`: install it, or add files"
        ) from None
    datasets.config.HF_ENDPOINT = settings.hub_endpoint
    datasets.config.STREAMING_READ_MAX_RETRIES = _RETRIES
    datasets.config.STREAMING_READ_RETRY_INTERVAL = _PAUSE_S
    return datasets


def _not_packaged(repo_id: str) -> str:
    """Names like `json` mean a reader of files to the library, not a repository."""
    if "/" not in repo_id:
        from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES

        if repo_id in _PACKAGED_DATASETS_MODULES:
            raise InvalidArgument(f"{repo_id!r} names no repository: give it as owner/name")
    return repo_id


def _refined(asked: Dataset, rows: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The rows, with what goes wrong on the way as the product's own errors."""
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:
            raise _as_product_error(asked, error) from None
        yield row


def _as_product_error(asked: Dataset, error: Exception) -> ActiscopeError:
    if isinstance(error, ActiscopeError):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    text = " ".join(str(error).split())[:400]
    if kinds & {"DatasetNotFoundError", "RepositoryNotFoundError", "RevisionNotFoundError"}:
        return NotFound(
            f"the hub has no dataset {asked.repo_id} that this server may read "
            "(a gated one needs ACTISCOPE_HUB_TOKEN)"
        )
    if kinds & {"ValueError", "KeyError"} or "RuntimeError" in kinds:
        return InvalidArgument(f"dataset {asked.repo_id} cannot be read so: {text}")
    return Unavailable(f"dataset {asked.repo_id} cannot be read now: {text}")
