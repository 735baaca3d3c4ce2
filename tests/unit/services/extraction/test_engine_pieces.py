"""Waiting for the engine: what it gives arrives, whenever that is."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from services.extraction.engine_pieces import Pieces


class _JustInTime(Future[int]):
    """Done in the moment after one that waits for it has given up."""

    def result(self, timeout: float | None = None) -> int:
        if not self.done():
            self.finish()
            raise TimeoutError
        return super().result(timeout)

    def finish(self) -> None:
        """As the engine does it."""
        self.set_result(7)


class _Late(_JustInTime):
    def finish(self) -> None:
        """The work itself timed out."""
        self.set_exception(TimeoutError("a file system"))


class _Job:
    def should_stop(self) -> bool:
        """Never."""
        return False


def pieces() -> Pieces:
    job: Any = _Job()
    return Pieces(lambda work: Future(), job)


def test_what_is_done_between_two_looks_is_given() -> None:
    assert pieces().wait(_JustInTime()) == 7


def test_a_timeout_of_the_work_is_its_error() -> None:
    with pytest.raises(TimeoutError, match="a file system"):
        pieces().wait(_Late())
