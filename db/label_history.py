"""The history of labels: what was done to them, by whom and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from db.label_records import ChangeFilter, ChangeRecord
from db.models import FeatureRow, LabelHistoryRow, table

_FEATURES, _HISTORY = table(FeatureRow), table(LabelHistoryRow)

_SOME = 5_000  # values of one IN
_CHANGE = (
    "change_id", "batch_id", "sae_id", "at", "author", "action", "before", "after", "undoes",
    "undone_by",
)  # fmt: skip

Value = TypeVar("Value")


def feature_key(sae_id: str, feature_id: int) -> str:
    """The key of a feature's row."""
    return f"feat_sae_{sae_id}_{feature_id}"


def some_of(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """`values`, as many at a time as one IN may have."""
    for start in range(0, len(values), _SOME):
        yield values[start : start + _SOME]


class LabelHistory:
    """Reads and marks changes, within a session of `db.unit_of_work`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(
        self, sae_id: str, filters: ChangeFilter, limit: int, before: int | None
    ) -> list[ChangeRecord]:
        """Changes of the SAE's labels, newest first."""
        statement = _changes().where(_HISTORY.c.sae_id == sae_id)
        if filters.feature_id is not None:
            key = feature_key(sae_id, filters.feature_id)
            statement = statement.where(_HISTORY.c.feature_key == key)
        for name in ("author", "action", "batch_id"):
            if (value := getattr(filters, name)) is not None:
                statement = statement.where(_HISTORY.c[name] == value)
        if before is not None:
            statement = statement.where(_HISTORY.c.change_id < before)
        return self._read(statement.order_by(_HISTORY.c.change_id.desc()).limit(limit))

    def batch(self, batch_id: str) -> list[ChangeRecord]:
        """The changes that were made together, in their order."""
        statement = _changes().where(_HISTORY.c.batch_id == batch_id)
        return self._read(statement.order_by(_HISTORY.c.change_id))

    def first_of(self, batch_id: str) -> ChangeRecord | None:
        """One of the changes that were made together."""
        statement = _changes().where(_HISTORY.c.batch_id == batch_id)
        return next(iter(self._read(statement.limit(1))), None)

    def change(self, change_id: int) -> ChangeRecord | None:
        """One change."""
        found = self._read(_changes().where(_HISTORY.c.change_id == change_id))
        return next(iter(found), None)

    def changes(self, ids: Sequence[int]) -> list[ChangeRecord]:
        """Some changes."""
        found: list[ChangeRecord] = []
        for some in some_of(ids):
            found += self._read(_changes().where(_HISTORY.c.change_id.in_(some)))
        return found

    def mark_undone(self, change_ids: Sequence[int], by: str | None) -> None:
        """These changes were taken back by a batch, or (None) stand again."""
        for some in some_of(change_ids):
            theirs = _HISTORY.c.change_id.in_(some)
            self._session.execute(update(_HISTORY).where(theirs).values(undone_by=by))

    def _read(self, statement: Select[*tuple[Any, ...]]) -> list[ChangeRecord]:
        rows = self._session.execute(statement)
        return [
            ChangeRecord(
                feature_id=row.neuron_index, **{name: getattr(row, name) for name in _CHANGE}
            )
            for row in rows
        ]


def _changes() -> Select[*tuple[Any, ...]]:
    columns = [_HISTORY.c[name] for name in _CHANGE]
    statement: Select[*tuple[Any, ...]] = select(_FEATURES.c.neuron_index, *columns)
    return statement.join(_FEATURES, _FEATURES.c.feature_key == _HISTORY.c.feature_key)
