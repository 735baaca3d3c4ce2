"""The repository of runs: every statement about them, within a session of `db.unit_of_work`.

Writes of a running run are fenced: each names the owner and the status it expects in its WHERE, so
a process that was taken for dead and comes back changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import UpdateBase

from db import run_pages
from db.errors import RunIsActive
from db.models import RunIndex, RunPreview, RunSae, RunTimeline, table
from db.records import (
    ACTIVE,
    FINAL,
    Cursor,
    RunFilter,
    RunIndexRecord,
    RunOutcome,
    RunPreviewRecord,
    RunText,
    StoredRun,
    TimelineRecord,
    utc_now,
)
from db.run_inserts import encode_all, insert_postings, insert_run
from db.run_rows import (
    INDEX_COLUMNS,
    PREVIEW_COLUMNS,
    TIMELINE_COLUMNS,
    index_record,
    outcome_values,
    preview_record,
    text_values,
    timeline_record,
    timeline_values,
)

INTERRUPTED_MESSAGE = "the process that worked on this run ended"


class RunRepository:
    """Reads and writes runs. Methods that answer bool say whether the run was theirs to change."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def insert(self, index: RunIndexRecord, preview: RunPreviewRecord) -> None:
        """Store a new run.

        Raises:
            DuplicateRequest: a run with this request_id exists.
        """
        insert_run(self._session, index, preview)

    # While it runs

    def claim(self, request_id: str, owner: str, now: datetime | None = None) -> bool:
        """Take a queued run; of several that try, one succeeds."""
        now = now or utc_now()
        where = and_(RunIndex.request_id == request_id, RunIndex.status == "queued")
        return self._set_status(request_id, where, "running", now, owner=owner, heartbeat_at=now)

    def checkpoint(
        self,
        request_id: str,
        owner: str,
        text: RunText,
        provenance: Mapping[str, Any] | None = None,
        now: datetime | None = None,
    ) -> bool:
        """Keep what was written so far, and what it is computed with."""
        now = now or utc_now()
        preview = text_values(text) | ({"provenance": dict(provenance)} if provenance else {})
        statement = update(table(RunIndex)).where(_owned(request_id, owner))
        ours = self._changed(
            statement.values(
                updated_at=now,
                heartbeat_at=now,
                prompt_tokens=len(text.prompt_token_ids),
                output_tokens=len(text.output_token_ids),
            )
        )
        if ours:
            self._update_preview(request_id, preview)
        return bool(ours)

    def finish(
        self, request_id: str, owner: str, outcome: RunOutcome, now: datetime | None = None
    ) -> bool:
        """Store all of a run's results; nothing of them when the run is no longer `owner`'s."""
        if outcome.status not in FINAL:
            raise ValueError(f"a run cannot finish as {outcome.status!r}")
        # Encoded before the first statement: SQLite's one write lock is held for less time.
        index, preview = outcome_values(outcome), text_values(outcome.text)
        preview["provenance"] = dict(outcome.provenance)
        timelines = [timeline_values(request_id, i, t) for i, t in enumerate(outcome.timelines)]
        postings = encode_all(outcome.fired)
        status = index.pop("status")
        where = _owned(request_id, owner)
        if not self._set_status(request_id, where, status, now or utc_now(), **index):
            return False
        self._update_preview(request_id, preview)
        if timelines:
            self._session.execute(insert(table(RunTimeline)), timelines)
        insert_postings(self._session, request_id, postings)
        return True

    def _update_preview(self, request_id: str, values: dict[str, Any]) -> None:
        statement = update(table(RunPreview)).where(RunPreview.request_id == request_id)
        self._session.execute(statement.values(values))

    def close_queued(
        self,
        request_id: str,
        status: str,
        error_message: str | None = None,
        now: datetime | None = None,
    ) -> bool:
        """End a run that nobody has claimed: cancelled, or with an error."""
        where = and_(RunIndex.request_id == request_id, RunIndex.status == "queued")
        now = now or utc_now()
        return self._set_status(request_id, where, status, now, error_message=error_message)

    def heartbeat(self, owner: str, now: datetime | None = None) -> int:
        """Say that `owner` lives; how many queued and running runs it has."""
        statement = update(table(RunIndex)).where(
            RunIndex.owner == owner, RunIndex.status.in_(ACTIVE)
        )
        return self._changed(statement.values(heartbeat_at=now or utc_now()))

    def active_owners(self) -> list[str]:
        """Who has queued or running runs."""
        statement = select(RunIndex.owner).where(
            RunIndex.status.in_(ACTIVE), RunIndex.owner.is_not(None)
        )
        return [owner for owner in self._session.scalars(statement.distinct()) if owner]

    def interrupt_orphans(
        self,
        dead_owners: Collection[str],
        stale_before: datetime,
        now: datetime | None = None,
        *,
        living: Collection[str] = (),
    ) -> list[str]:
        """End the queued and running runs of dead owners, and of owners silent for too long.

        A run without owner waits for one and is no orphan; owners known to be `living` may be
        silent. Answers the request_ids.
        """
        silent = func.coalesce(RunIndex.heartbeat_at, RunIndex.updated_at) < stale_before
        return self._interrupt(
            RunIndex.owner.is_not(None),
            or_(
                RunIndex.owner.in_(list(dead_owners)),
                and_(silent, RunIndex.owner.not_in(list(living))),
            ),
            now=now,
        )

    def interrupt_lost(
        self,
        owner: str,
        in_progress: Collection[str],
        created_before: datetime,
        now: datetime | None = None,
    ) -> list[str]:
        """End the runs that `owner` has by the table, but does not work on.

        `created_before` spares those that were accepted since `in_progress` was listed.
        """
        return self._interrupt(
            RunIndex.owner == owner,
            RunIndex.request_id.not_in(list(in_progress)),
            RunIndex.created_at < created_before,
            now=now,
        )

    def _interrupt(self, *where: ColumnElement[bool], now: datetime | None) -> list[str]:
        orphans = select(RunIndex.request_id).where(RunIndex.status.in_(ACTIVE), *where)
        ids = list(self._session.scalars(orphans.with_for_update()))
        for request_id in ids:
            message = {"error_message": INTERRUPTED_MESSAGE}
            only = RunIndex.request_id == request_id
            self._set_status(request_id, only, "interrupted", now or utc_now(), **message)
        return ids

    def _set_status(
        self,
        request_id: str,
        where: ColumnElement[bool],
        status: str,
        now: datetime,
        **values: Any,
    ) -> bool:
        statement = update(table(RunIndex)).where(where)
        if not self._changed(statement.values(status=status, updated_at=now, **values)):
            return False
        saes = update(table(RunSae)).where(RunSae.request_id == request_id)
        self._session.execute(saes.values(status=status))
        return True

    def _changed(self, statement: UpdateBase) -> int:
        result = self._session.execute(statement)
        assert isinstance(result, CursorResult)
        return int(result.rowcount)

    # Reading

    def get(
        self, request_id: str, with_preview: bool = False, with_timelines: bool = False
    ) -> StoredRun | None:
        """The run, or None."""
        row = self._session.execute(
            select(*INDEX_COLUMNS).where(RunIndex.request_id == request_id)
        ).one_or_none()
        if row is None:
            return None
        preview = self._preview(request_id) if with_preview else None
        timelines = self._timelines(request_id) if with_timelines else ()
        return StoredRun(index_record(row), preview, timelines)

    def _preview(self, request_id: str) -> RunPreviewRecord:
        statement = select(*PREVIEW_COLUMNS).where(RunPreview.request_id == request_id)
        return preview_record(self._session.execute(statement).one())

    def _timelines(self, request_id: str) -> tuple[TimelineRecord, ...]:
        statement = select(*TIMELINE_COLUMNS).where(RunTimeline.request_id == request_id)
        rows = self._session.execute(statement.order_by(RunTimeline.ordinal))
        return tuple(map(timeline_record, rows))

    def fingerprint(self, request_id: str) -> str | None:
        """The fingerprint of the run's request; None when there is no such run."""
        return self._session.scalar(
            select(RunIndex.fingerprint).where(RunIndex.request_id == request_id)
        )

    def page(
        self, limit: int, cursor: Cursor | None = None, filters: RunFilter | None = None
    ) -> list[RunIndexRecord]:
        """At most `limit` runs after `cursor`, newest first."""
        return run_pages.page(self._session, limit, cursor, filters or RunFilter())

    def strengths(
        self, sae_id: str, feature_id: int, request_ids: Sequence[str]
    ) -> dict[str, tuple[float, int]]:
        """By run: the feature's (maximum, hits), of those in which it fired."""
        return run_pages.strengths(self._session, sae_id, feature_id, request_ids)

    # Changing

    def set_notes(self, request_id: str, notes: str, now: datetime | None = None) -> bool:
        """Replace the notes; False when there is no such run."""
        statement = update(table(RunIndex)).where(RunIndex.request_id == request_id)
        return bool(self._changed(statement.values(notes=notes, updated_at=now or utc_now())))

    def delete(self, request_id: str) -> bool:
        """Remove a final run and all that belongs to it; False when there is no such run.

        Raises:
            RunIsActive: it is queued or running.
        """
        final = and_(RunIndex.request_id == request_id, RunIndex.status.in_(FINAL))
        if self._changed(delete(table(RunIndex)).where(final)):
            return True
        if self.fingerprint(request_id) is not None:
            raise RunIsActive(request_id)
        return False


def _owned(request_id: str, owner: str) -> ColumnElement[bool]:
    return and_(
        RunIndex.request_id == request_id,
        RunIndex.owner == owner,
        RunIndex.status == "running",
    )
