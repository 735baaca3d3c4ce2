"""One page of the list of runs, newest first, whatever the filters.

Every page is found from a place in an index (keyset), so the last one costs what the first does.
A filter by feature walks the postings of the feature's bucket instead, which lie in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, SQLColumnExpression, literal, select, tuple_
from sqlalchemy.orm import Session

from db.blobs import BUCKET_BITS, find_in_posting
from db.columns import UtcDateTime, microseconds
from db.models import SEQ_BITS, RunIndex, RunPosting, RunSae, SaeKey
from db.records import Cursor, FeatureFilter, RunFilter, RunIndexRecord
from db.run_rows import INDEX_COLUMNS, index_record, searchable

_POSTINGS_PER_READ = 500

_Order = tuple[SQLColumnExpression[datetime], SQLColumnExpression[str]]


def page(
    session: Session, limit: int, cursor: Cursor | None, filters: RunFilter
) -> list[RunIndexRecord]:
    """At most `limit` runs that pass `filters`, after `cursor`."""
    if filters.feature is not None:
        return _feature_page(session, limit, cursor, filters, filters.feature)
    filtered = _filtered(session, filters)
    if filtered is None:
        return []
    statement, ordered_by = filtered
    if cursor is not None:
        statement = statement.where(tuple_(*ordered_by) < _place(cursor))
    newest_first = [column.desc() for column in ordered_by]
    rows = session.execute(statement.order_by(*newest_first).limit(limit))
    return [index_record(row) for row in rows]


def _place(cursor: Cursor) -> ColumnElement[Any]:
    created_at, request_id = cursor
    return tuple_(literal(created_at, UtcDateTime()), literal(request_id, RunIndex.request_id.type))


def _filtered(
    session: Session, filters: RunFilter
) -> tuple[Select[*tuple[Any, ...]], _Order] | None:
    """The runs that pass, and the columns to walk them by; None when there can be none."""
    statement = select(*INDEX_COLUMNS).where(*_conditions(filters))
    if filters.sae_id is None:
        statement = statement.where(*_equal(RunIndex, filters))
        return statement, (RunIndex.created_at, RunIndex.request_id)
    sae_key = sae_key_of(session, filters.sae_id)
    if sae_key is None:
        return None
    statement = (
        statement.join(RunSae, RunSae.request_id == RunIndex.request_id)
        .where(RunSae.sae_key == sae_key)
        .where(*_equal(RunSae, filters))
    )
    return statement, (RunSae.created_at, RunSae.request_id)


def _equal(table: type[RunIndex | RunSae], filters: RunFilter) -> Iterator[ColumnElement[bool]]:
    if filters.status is not None:
        yield table.status == filters.status
    if filters.model_id is not None:
        yield table.model_id == filters.model_id


def _conditions(filters: RunFilter) -> Iterator[ColumnElement[bool]]:
    if filters.sae_enabled is not None:
        yield RunIndex.sae_enabled == filters.sae_enabled
    if filters.text:
        yield RunIndex.prompt_search.contains(searchable(filters.text), autoescape=True)


def sae_key_of(session: Session, sae_id: str) -> int | None:
    """The SAE's small number; None when no run ever named it."""
    return session.scalar(select(SaeKey.sae_key).where(SaeKey.sae_id == sae_id))


def _feature_page(
    session: Session, limit: int, cursor: Cursor | None, filters: RunFilter, feature: FeatureFilter
) -> list[RunIndexRecord]:
    """The page by walking the postings: exact for any threshold, linear in the runs it passes."""
    sae_key = sae_key_of(session, feature.sae_id)
    if sae_key is None:
        return []
    statement = (
        select(RunPosting.run_seq, RunPosting.postings, RunIndex.request_id, RunIndex.created_at)
        .join(RunIndex, RunIndex.run_seq == RunPosting.run_seq)
        .where(RunPosting.sae_key == sae_key)
        .where(RunPosting.bucket == feature.feature_id >> BUCKET_BITS)
        .where(*_conditions(filters), *_equal(RunIndex, filters), *_uses_sae(session, filters))
    )
    if cursor is not None:
        statement = statement.where(
            tuple_(RunIndex.created_at, RunIndex.request_id) < _place(cursor)
        )
        statement = statement.where(RunPosting.run_seq < _first_seq_after(cursor))
    found = _newest_with(session, statement, feature, limit)
    rows = session.execute(select(*INDEX_COLUMNS).where(RunIndex.run_seq.in_(found)))
    records = sorted(map(index_record, rows), key=lambda r: (r.created_at, r.request_id))
    return records[::-1][:limit]


def _uses_sae(session: Session, filters: RunFilter) -> Iterator[ColumnElement[bool]]:
    if filters.sae_id is not None:
        runs = select(RunSae.request_id).join(SaeKey).where(SaeKey.sae_id == filters.sae_id)
        yield RunIndex.request_id.in_(runs)


def _first_seq_after(cursor: Cursor) -> int:
    """The first run_seq of the next microsecond; a cursor may name any time, a column 64 bits."""
    first = (microseconds(cursor[0]) + 1) << SEQ_BITS
    return min(max(first, -(2**63)), 2**63 - 1)


def _newest_with(
    session: Session, statement: Select[*tuple[Any, ...]], feature: FeatureFilter, limit: int
) -> list[int]:
    """run_seq of the newest runs in which the feature fired: at least `limit` if there are.

    Runs of one microsecond lie in no order, so the last microsecond is read to its end.
    """
    found: list[int] = []
    for row in _walk(session, statement):
        if len(found) >= limit and row.run_seq >> SEQ_BITS != found[-1] >> SEQ_BITS:
            break
        if _fired(row, feature):
            found.append(row.run_seq)
    return found


def _walk(session: Session, statement: Select[*tuple[Any, ...]]) -> Iterator[Row[Any]]:
    """The rows by falling run_seq, read in pieces: mostly the first one is enough."""
    statement = statement.order_by(RunPosting.run_seq.desc()).limit(_POSTINGS_PER_READ)
    rows: Sequence[Row[Any]] = session.execute(statement).all()
    while rows:
        yield from rows
        if len(rows) < _POSTINGS_PER_READ:
            return
        rows = session.execute(statement.where(RunPosting.run_seq < rows[-1].run_seq)).all()


def _fired(row: Row[Any], feature: FeatureFilter) -> bool:
    value = find_in_posting(row.postings, feature.feature_id)
    return value is not None and (feature.above is None or value[0] > feature.above)


def strengths(
    session: Session, sae_id: str, feature_id: int, request_ids: Sequence[str]
) -> dict[str, tuple[float, int]]:
    """By run: the feature's (maximum, hits), of those of the runs in which it fired."""
    statement = (
        select(RunIndex.request_id, RunPosting.postings)
        .join(RunPosting, RunPosting.run_seq == RunIndex.run_seq)
        .where(RunPosting.sae_key == sae_key_of(session, sae_id))
        .where(RunPosting.bucket == feature_id >> BUCKET_BITS)
        .where(RunIndex.request_id.in_(request_ids))
    )
    rows = session.execute(statement).all()
    found = {row.request_id: find_in_posting(row.postings, feature_id) for row in rows}
    return {request_id: value for request_id, value in found.items() if value is not None}
