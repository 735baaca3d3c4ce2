"""Which extractions of a job failed, and why: said in their rows, in the log, and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.errors import ActiscopeError, Unsupported
from services.extraction.lanes import Lane
from services.jobs.queue import Write

if TYPE_CHECKING:
    from services.extraction.store import ExtractionStore
    from services.jobs.context import JobContext


class Failures:
    """Those of one attempt, by extraction."""

    def __init__(self, job: JobContext, rows: ExtractionStore) -> None:
        self._job, self._rows = job, rows
        self._errors: dict[str, ActiscopeError] = {}
        self._unsaid: list[Write] = []

    def add(self, extraction_id: str, error: ActiscopeError) -> None:
        """The extraction failed; the others go on."""
        self._errors[extraction_id] = error
        self._unsaid.append(self._rows.fail(extraction_id, error))
        self._job.log(f"{extraction_id}: {error.message}", "error")

    def note(self, lanes: Sequence[Lane]) -> None:
        """Add those of the lanes that have failed since."""
        for lane in lanes:
            if lane.error is not None and lane.extraction_id not in self._errors:
                self.add(lane.extraction_id, lane.error)

    def unsaid(self) -> list[Write]:
        """What the next commit is to say in their rows."""
        writes, self._unsaid = self._unsaid, []
        return writes

    def raise_any(self, n: int) -> None:
        """The job, of `n` extractions, fails when one of them did; a retry goes on with those."""
        if not self._errors:
            return
        extraction_id, error = next(iter(self._errors.items()))
        if n == 1:
            raise error
        # What a full disk or the end of the server did to all is said as such.
        kinds = {type(failure) for failure in self._errors.values()}
        kind = kinds.pop() if len(kinds) == 1 else Unsupported
        others = "" if len(self._errors) == n else ", the others are complete"
        raise kind(
            f"{len(self._errors)} of {n} extractions failed{others}. "
            f"{extraction_id}: {error.message}",
            failed={id: failure.message for id, failure in self._errors.items()},
        )
