"""Labels from a file."""

from __future__ import annotations

from services.errors import Unsupported
from services.labels.requests import Mode
from services.labels.store import LabelStore
from services.types.labels import ImportReport


class Imports:
    """Reads files of labels."""

    def __init__(self, store: LabelStore) -> None:
        self._store = store

    def look(self, content: bytes, sae_id: str | None) -> ImportReport:
        """What an import would do."""
        raise Unsupported("files are not read yet")

    def add(self, content: bytes, sae_id: str | None, author: str, mode: Mode) -> ImportReport:
        """Add the labels."""
        raise Unsupported("files are not read yet")
