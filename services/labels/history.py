"""Entries of the history, as they are stored and as they are shown."""

from __future__ import annotations

from db.label_records import ChangeRecord
from services.errors import InvalidArgument
from services.types.labels import LabelChange


def change_of(record: ChangeRecord) -> LabelChange:
    """An entry of the history as the product shows it."""
    return LabelChange(
        change_id=record.change_id,
        batch_id=record.batch_id,
        sae_id=record.sae_id,
        feature_id=record.feature_id,
        at=record.at,
        author=record.author,
        action=record.action,
        before=record.before,
        after=record.after,
        is_undone=record.undone_by is not None,
    )


def parse_cursor(cursor: str | None) -> int | None:
    """The change after which a page begins; InvalidArgument when it is none of ours."""
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidArgument(
            "cursor is none of this server's: pass `next_cursor` of the page before unchanged"
        )
    return int(cursor)
