"""The stores of this server by id: opened when they are asked for, live while they fill."""

from __future__ import annotations

import re

import fsspec

from services.errors import NotFound
from services.store import ActivationStore
from services.stores.opened import OpenStores
from services.stores.requests import STORE_ID

_SPEC = "store.json"


class Stores:
    """All stores below `stores_url`, a local folder or any fsspec URL. Safe for many threads."""

    def __init__(self, stores_url: str) -> None:
        self._url = stores_url.rstrip("/")
        self._open = OpenStores(lambda store_id: ActivationStore.open(self.url(store_id)))

    def url(self, store_id: str) -> str:
        """Where the store is or would be.

        Raises:
            NotFound: no store can have this id.
        """
        if not re.fullmatch(STORE_ID, store_id):
            raise NotFound(f"there is no store {store_id[:100]!r}")
        return f"{self._url}/{store_id}"

    def list(self) -> tuple[str, ...]:
        """Ids of the stores that are there, in alphabetical order."""
        filesystem, root = fsspec.core.url_to_fs(self._url)
        filesystem.invalidate_cache(root)
        try:
            found = filesystem.ls(root, detail=True)
        except FileNotFoundError:
            return ()
        folders = [entry["name"].rstrip("/") for entry in found if entry["type"] == "directory"]
        there = [f for f in folders if filesystem.exists(f"{f}/{_SPEC}")]
        names = (folder.rsplit("/", 1)[-1] for folder in there)
        return tuple(sorted(name for name in names if re.fullmatch(STORE_ID, name)))

    def open(self, store_id: str) -> ActivationStore:
        """The store, kept open; at most a second behind what was written.

        Raises:
            NotFound: there is no such store, or its folder is gone.
            DamagedStore: no version of it is what was written.
        """
        self.url(store_id)
        try:
            return self._open.get(store_id)
        except NotFound:
            raise NotFound(f"there is no store {store_id!r}", store_id=store_id) from None

    def forget(self, store_id: str) -> None:
        """Close the store, before it is removed."""
        self._open.forget(store_id)
