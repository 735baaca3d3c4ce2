"""One SAE's share of an extraction: its store, how it stands, and why it failed if it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.errors import ActiscopeError, as_product_error
from services.extraction.standing import Standing
from services.store import ActivationStore, Batch, StoreSpec, StoreWriter

if TYPE_CHECKING:
    from services.sae.loader import Sae


@dataclass
class Lane:
    """An SAE with its writer; a lane that has failed takes no part any more."""

    extraction_id: str
    sae: Sae
    url: str
    writer: StoreWriter
    standing: Standing
    error: ActiscopeError | None = None
    size_bytes: int = 0  # of the complete store

    @property
    def sae_id(self) -> str:
        """Whose lane it is."""
        return self.sae.info.sae_id

    @classmethod
    def open(cls, extraction_id: str, sae: Sae, url: str, spec: StoreSpec) -> Lane:
        """Begin the store, or go on with it."""
        writer = StoreWriter.open_for_resume(url, spec)
        standing = Standing.of_store(ActivationStore.open(url))
        return cls(extraction_id, sae, url, writer, standing)

    def attempt(self, work: Callable[[], Any]) -> bool:
        """Do `work` unless the lane has failed; whether it did. What it raises is the lane's."""
        if self.error is None:
            try:
                work()
            except Exception as error:  # the other SAEs go on
                self.error = as_product_error(error)
        return self.error is None

    def append(self, batch: Batch) -> None:
        """Give the store some tokens; those that it has are skipped."""
        if not self.writer.finished:
            self.writer.append(batch)
        self.standing.add(batch)

    def finish(self) -> None:
        """Complete the store."""
        manifest = self.writer.finish()
        self.size_bytes = sum(file.n_bytes for file in manifest.files())


def active(lanes: Sequence[Lane]) -> list[Lane]:
    """Those that have not failed."""
    return [lane for lane in lanes if lane.error is None]


def sealed_by_all(lanes: Sequence[Lane]) -> int:
    """Tokens that every store has for good: from here on something must be read again."""
    unfinished = [lane.writer.n_sealed for lane in lanes if not lane.writer.finished]
    return min(unfinished, default=max((lane.writer.n_sealed for lane in lanes), default=0))
