"""Adding rows of runs where several processes may add the same at once."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.blobs import encode_postings
from db.columns import microseconds
from db.errors import DuplicateRequest
from db.models import SEQ_BITS, Base, RunIndex, RunPosting, RunPreview, RunSae, SaeKey, table
from db.records import FiredFeatures, RunIndexRecord, RunPreviewRecord
from db.run_rows import index_values, preview_values


def insert_run(session: Session, index: RunIndexRecord, preview: RunPreviewRecord) -> None:
    """Store a new run.

    Raises:
        DuplicateRequest: a run with this request_id exists.
    """
    values, preview_row = index_values(index, preview.prompt), preview_values(index, preview)
    while not _insert_new(session, RunIndex, [values | {"run_seq": _run_seq(index.created_at)}]):
        exists = select(RunIndex.request_id).where(RunIndex.request_id == index.request_id)
        if session.scalar(exists) is not None:
            raise DuplicateRequest(index.request_id)
    session.execute(insert(table(RunPreview)), preview_row)
    _insert_saes(session, index)


def _run_seq(created_at: datetime) -> int:
    """A number ordered as `created_at`; two runs of one microsecond rarely share it."""
    return (microseconds(created_at) << SEQ_BITS) + secrets.randbelow(1 << SEQ_BITS)


def _insert_new(session: Session, model: type[Base], rows: Sequence[dict[str, Any]]) -> bool:
    """Insert the rows whose unique columns are new; whether there was any."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    dialect_insert = sqlite.insert if is_sqlite else postgresql.insert
    statement = dialect_insert(table(model)).values(list(rows)).on_conflict_do_nothing()
    result = session.execute(statement, execution_options={"preserve_rowcount": True})
    assert isinstance(result, CursorResult)
    return result.rowcount > 0


def _insert_saes(session: Session, index: RunIndexRecord) -> None:
    run = {name: getattr(index, name) for name in ("request_id", "created_at", "model_id")}
    keys = _sae_keys(session, index.sae_ids).values()
    if rows := [run | {"status": index.status, "sae_key": key} for key in keys]:
        session.execute(insert(table(RunSae)), rows)


def _sae_keys(session: Session, sae_ids: Iterable[str]) -> dict[str, int]:
    """The small number of each SAE, given on first use."""
    wanted = sorted(set(sae_ids))  # in one order, or two writers might wait for each other
    statement = select(SaeKey.sae_id, SaeKey.sae_key).where(SaeKey.sae_id.in_(wanted))
    known = dict(session.execute(statement).tuples().all()) if wanted else {}
    if missing := [{"sae_id": i} for i in wanted if i not in known]:
        _insert_new(session, SaeKey, missing)
        known = dict(session.execute(statement).tuples().all())
    return known


Postings = Sequence[tuple[str, int, bytes]]  # (sae_id, bucket, posting)


def encode_all(fired: Iterable[FiredFeatures]) -> Postings:
    """The postings of every SAE.

    Raises:
        ValueError: see db.blobs.encode_postings.
    """
    return [(f.sae_id, *posting) for f in fired for posting in encode_postings(f)]


def insert_postings(session: Session, request_id: str, postings: Postings) -> None:
    """Store what fired in the run."""
    if not postings:
        return
    keys = _sae_keys(session, (sae_id for sae_id, _, _ in postings))
    seq = session.scalar(select(RunIndex.run_seq).where(RunIndex.request_id == request_id))
    rows = [
        {"sae_key": keys[sae_id], "bucket": bucket, "run_seq": seq, "postings": posting}
        for sae_id, bucket, posting in postings
    ]
    session.execute(insert(table(RunPosting)), rows)
