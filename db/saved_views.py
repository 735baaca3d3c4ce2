"""The repository of saved views: kept selections of the table of features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.models import SavedViewRow, table

_VIEWS = table(SavedViewRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedViewRecord:
    """A saved view as its row has it."""

    view_id: str
    sae_id: str
    name: str
    state: Mapping[str, Any]
    author: str
    created_at: datetime


_NAMES = tuple(field.name for field in fields(SavedViewRecord))


class SavedViewRepository:
    """Every statement about saved views, within a session of `db.unit_of_work`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._is_postgres = session.get_bind().dialect.name == "postgresql"

    def of_sae(self, sae_id: str) -> list[SavedViewRecord]:
        """The views of an SAE, by name."""
        rows = self._session.execute(
            select(_VIEWS).where(_VIEWS.c.sae_id == sae_id).order_by(_VIEWS.c.name)
        )
        return [_record(row) for row in rows.mappings()]

    def get(self, sae_id: str, view_id: str) -> SavedViewRecord | None:
        """The view, or None."""
        where = (_VIEWS.c.sae_id == sae_id, _VIEWS.c.view_id == view_id)
        row = self._session.execute(select(_VIEWS).where(*where)).mappings().first()
        return None if row is None else _record(row)

    def has(self, sae_id: str, name: str) -> bool:
        """Whether the SAE has a view of this name."""
        where = (_VIEWS.c.sae_id == sae_id, _VIEWS.c.name == name)
        return self._session.execute(select(_VIEWS.c.view_id).where(*where)).first() is not None

    def count(self, sae_id: str) -> int:
        """How many views an SAE has."""
        statement = select(func.count()).where(_VIEWS.c.sae_id == sae_id)
        return int(self._session.execute(statement).scalar_one())

    def insert(self, record: SavedViewRecord) -> bool:
        """Keep it; False, and nothing is kept, when the SAE has a view of that name."""
        statement = self._insert().on_conflict_do_nothing(index_elements=["sae_id", "name"])
        kept = self._session.execute(statement.values(asdict(record)).returning(_VIEWS.c.view_id))
        return kept.first() is not None

    def put(self, record: SavedViewRecord) -> SavedViewRecord:
        """Keep it in the place of the SAE's view of that name, whose id it takes over."""
        statement: Any = self._insert().values(asdict(record))
        fresh = {name: statement.excluded[name] for name in ("state", "author", "created_at")}
        statement = statement.on_conflict_do_update(index_elements=["sae_id", "name"], set_=fresh)
        return _record(self._session.execute(statement.returning(_VIEWS)).mappings().one())

    def delete(self, sae_id: str, view_id: str) -> bool:
        """Remove it; False when it is not there."""
        where = (_VIEWS.c.sae_id == sae_id, _VIEWS.c.view_id == view_id)
        done = self._session.execute(delete(_VIEWS).where(*where))
        return bool(done.rowcount)  # type: ignore[attr-defined]

    def _insert(self) -> Any:
        return (postgresql if self._is_postgres else sqlite).insert(_VIEWS)


def _record(row: Any) -> SavedViewRecord:
    return SavedViewRecord(**{name: row[name] for name in _NAMES})
