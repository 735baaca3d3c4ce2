"""Runs in the database, in the house's own values and errors."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from db.errors import DuplicateRequest, RunIsActive
from db.records import (
    Cursor,
    FeatureFilter,
    RunFilter,
    RunIndexRecord,
    RunPreviewRecord,
    StoredRun,
    utc_now,
)
from db.runs import RunRepository
from services import text
from services.database import Database
from services.errors import Conflict, InvalidArgument, NotFound
from services.runs.execution import Outcome
from services.runs.live import RunInProgress
from services.runs.mapping import outcome_of, summary_of, text_of, view_of
from services.runs.ownership import is_dead, is_of_this_host, this_process
from services.runs.queries import RunQuery
from services.runs.request import RunRequest
from services.types import FeatureInRun, RunPage, RunStatus, RunSummary, RunView, SaeInfo

_JUST_ACCEPTED = timedelta(seconds=10)


class RunStore:
    """Writes what this process does with runs, and reads every run."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._owner = this_process()

    # Writing

    def insert(
        self, request_id: str, request: RunRequest, fingerprint: str, saes: Sequence[SaeInfo]
    ) -> bool:
        """Store a queued run of this process; False when the `request_id` exists."""
        now = utc_now()
        index = RunIndexRecord(
            request_id=request_id,
            created_at=now,
            updated_at=now,
            model_id=str(request.model_id),
            status="queued",
            fingerprint=fingerprint,
            prompt_preview=text.preview(request.prompt),
            prompt_chars=len(request.prompt),
            sae_top_k=request.sae_top_k,
            sae_ids=tuple(sae.sae_id for sae in saes),
            sae_layers=tuple(sae.layer for sae in saes),
            owner=self._owner,
            heartbeat_at=now,
        )
        body = request.model_dump(mode="json", exclude={"request_id"}, exclude_none=True)
        try:
            with self._write() as runs:
                runs.insert(index, RunPreviewRecord(prompt=request.prompt, request=body))
        except DuplicateRequest:
            return False
        return True

    def claim(self, request_id: str) -> bool:
        """Begin the run; False when it was cancelled meanwhile."""
        with self._write() as runs:
            return runs.claim(request_id, self._owner)

    def checkpoint(self, run: RunInProgress) -> None:
        """Keep what the run has written so far."""
        tokens = (*run.prompt_tokens, *run.output_tokens())
        written = text_of(tokens, run.rendered_prompt, run.output_text())
        with self._write() as runs:
            runs.checkpoint(run.request_id, self._owner, written, dict(run.provenance))

    def finish(self, request_id: str, outcome: Outcome) -> bool:
        """Store all results; False when the run is no longer this process's."""
        record = outcome_of(outcome)
        with self._write() as runs:
            return runs.finish(request_id, self._owner, record)

    def end_queued(self, request_id: str, status: RunStatus) -> bool:
        """End a run that has not begun; False when it has."""
        with self._write() as runs:
            return runs.close_queued(request_id, status.value)

    def tend(self, in_progress: Collection[str], stale_after_s: float) -> None:
        """Say that this process lives, and end the runs that nobody works on any more.

        These are the runs of dead processes, those of other hosts that were silent for
        `stale_after_s`, and this process's own that are not `in_progress`.
        """
        with self._read() as runs:
            owners = runs.active_owners()
        if not owners:
            return
        dead = [owner for owner in owners if is_dead(owner)]
        living = [owner for owner in owners if is_of_this_host(owner) and owner not in dead]
        now = utc_now()
        with self._write() as runs:
            runs.heartbeat(self._owner)
            runs.interrupt_lost(self._owner, in_progress, now - _JUST_ACCEPTED)
            runs.interrupt_orphans(dead, now - timedelta(seconds=stale_after_s), living=living)

    def set_notes(self, request_id: str, notes: str) -> None:
        """Replace the run's notes."""
        with self._write() as runs:
            found = runs.set_notes(request_id, text.storable(notes))
        if not found:
            raise _no_such_run(request_id)

    def delete(self, request_id: str) -> None:
        """Remove the run.

        Raises:
            NotFound: there is none.
            Conflict: it is under way.
        """
        try:
            with self._write() as runs:
                found = runs.delete(request_id)
        except RunIsActive:
            raise Conflict(
                f"run {request_id} is under way: cancel it before you delete it"
            ) from None
        if not found:
            raise _no_such_run(request_id)

    # Reading

    def fingerprint(self, request_id: str) -> str | None:
        """The fingerprint of the run's request; None when there is no such run."""
        with self._read() as runs:
            return runs.fingerprint(request_id)

    def summary(self, request_id: str) -> RunSummary:
        """The run's line of the listing."""
        return summary_of(self._get(request_id, whole=False).index)

    def view(self, request_id: str) -> RunView:
        """Everything of the run."""
        return view_of(self._get(request_id, whole=True))

    def page(self, query: RunQuery) -> RunPage:
        """One page of runs, newest first."""
        with self._read() as runs:
            found = runs.page(query.limit + 1, _parse_cursor(query.cursor), _filter_of(query))
        items = tuple(summary_of(record) for record in found[: query.limit])
        return RunPage(items, _cursor_of(items[-1]) if len(found) > query.limit else None)

    def strengths(
        self, sae_id: str, feature_id: int, request_ids: Sequence[str]
    ) -> dict[str, FeatureInRun]:
        """How the feature fired in those of the runs in which it did."""
        with self._read() as runs:
            found = runs.strengths(sae_id, feature_id, request_ids)
        return {name: FeatureInRun(*value) for name, value in found.items()}

    def _get(self, request_id: str, whole: bool) -> StoredRun:
        with self._read() as runs:
            stored = runs.get(request_id, with_preview=whole, with_timelines=whole)
        if stored is None:
            raise _no_such_run(request_id)
        return stored

    @contextmanager
    def _read(self) -> Iterator[RunRepository]:
        with self._database.read() as session:
            yield RunRepository(session)

    @contextmanager
    def _write(self) -> Iterator[RunRepository]:
        with self._database.write() as session:
            yield RunRepository(session)


def _no_such_run(request_id: str) -> NotFound:
    return NotFound(f"there is no run {request_id[:128]!r}", request_id=request_id[:128])


def _filter_of(query: RunQuery) -> RunFilter:
    feature = None
    if query.feature_id is not None:
        if query.sae_id is None:
            raise InvalidArgument("feature_id needs sae_id: features are numbered per SAE")
        feature = FeatureFilter(query.sae_id, query.feature_id, query.min_activation)
    elif query.min_activation is not None:
        raise InvalidArgument("min_activation needs feature_id")
    return RunFilter(
        status=query.status.value if query.status else None,
        model_id=query.model_id,
        sae_id=query.sae_id,
        sae_enabled=query.sae_enabled,
        text=text.storable(query.text) if query.text else None,
        feature=feature,
    )


def _cursor_of(summary: RunSummary) -> str:
    # `Z`, not `+00:00`: a plus that a client does not escape would arrive as a space.
    created_at = summary.created_at.isoformat().replace("+00:00", "Z")
    return f"{created_at}|{summary.request_id}"


def _parse_cursor(cursor: str | None) -> Cursor | None:
    if cursor is None:
        return None
    try:
        created_at, _, request_id = cursor.partition("|")
        moment = datetime.fromisoformat(created_at)
        if moment.tzinfo is None or not request_id:
            raise ValueError
    except ValueError:
        raise InvalidArgument(
            "cursor is none of this server's: pass `next_cursor` of the page before unchanged"
        ) from None
    return moment, request_id
