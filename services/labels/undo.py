"""Taking changes back: each only when what it made is still as it made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from db.label_records import ChangeRecord
from services.errors import Conflict
from services.labels.draft import Draft, label_of

_SHOWN = 5


def undo(draft: Draft, changes: Sequence[ChangeRecord]) -> None:
    """Take these changes back, the last one first.

    Raises:
        Conflict: something was changed since; nothing of the draft may be kept then.
    """
    since = []
    for change in reversed(changes):
        draft.undoing(change.change_id)
        if not _undone(draft, change):
            since.append(change.feature_id)
    draft.undoing(None)
    if since:
        raise _changed_since(sorted(set(since)))


def _undone(draft: Draft, change: ChangeRecord) -> bool:
    before, after = change.before or {}, change.after or {}
    if "label_id" in before and "label_id" in after:
        return _unedit(draft, change.feature_id, before, after)
    if "label_id" in after:
        return _unadd(draft, change.feature_id, after)
    if "label_id" in before:
        return _unremove(draft, change.feature_id, before, after)
    return _unmark(draft, change.feature_id, before, after)


def _unedit(draft: Draft, feature_id: int, before: Any, after: Any) -> bool:
    label = draft.labels(feature_id).get(after["label_id"])
    names = [name for name in before if name not in ("label_id", "updated_at")]
    if label is None or any(getattr(label, name) != after[name] for name in names):
        return False
    untouched = label.updated_at.isoformat() == after["updated_at"]
    was = datetime.fromisoformat(before["updated_at"]) if untouched else None
    draft.edit(label, {name: before[name] for name in names}, was)
    return True


def _unadd(draft: Draft, feature_id: int, after: Any) -> bool:
    label = draft.labels(feature_id).get(after["label_id"])
    if label is None or label.updated_at.isoformat() != after["updated_at"]:
        return False
    was_chosen = draft.feature(feature_id).chosen_label_id == label.label_id
    draft.remove(label)
    former = draft.labels(feature_id).get(after.get("instead_of", ""))
    if was_chosen and former is not None:
        draft.choose(former)
    return True


def _unremove(draft: Draft, feature_id: int, before: Any, after: Any) -> bool:
    if before["label_id"] in draft.labels(feature_id):
        return False
    chosen = draft.feature(feature_id).chosen_label_id
    as_left = before["is_chosen"] and chosen == after.get("chosen_label_id")
    draft.restore(label_of(feature_id, before), as_left)
    return True


def _unmark(draft: Draft, feature_id: int, before: Any, after: Mapping[str, Any]) -> bool:
    feature = draft.feature(feature_id)
    if any(getattr(feature, name) != value for name, value in after.items()):
        return False
    chosen = before.get("chosen_label_id")
    if chosen is not None and chosen not in draft.labels(feature_id):
        return False
    draft.mark(feature_id, "undo", before)
    return True


def _changed_since(features: Sequence[int]) -> Conflict:
    named = ", ".join(map(str, features[:_SHOWN]))
    more = f" and {len(features) - _SHOWN:,} more" if len(features) > _SHOWN else ""
    word = "features" if len(features) > 1 else "feature"
    return Conflict(
        f"{word} {named}{more} changed since: undo the later changes first, or edit by hand",
        features=list(features[:1000]),
    )
