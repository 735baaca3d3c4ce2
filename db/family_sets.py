"""The repository of kept families of features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from db.models import FamilySetRow, table

_SETS = table(FamilySetRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySetLine:
    """A kept set as it is listed: `parameters` say how many families it has, too."""

    set_id: str
    sae_id: str
    name: str
    parameters: Mapping[str, Any]
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySetRecord(FamilySetLine):
    """A kept set as its row has it."""

    families: bytes  # compressed Arrow: services.maps.kept


_LINE = tuple(field.name for field in fields(FamilySetLine))
_ALL = (*_LINE, "families")


class FamilySetRepository:
    """Every statement about kept families, within a session of `db.unit_of_work`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def insert(self, record: FamilySetRecord) -> None:
        """Keep a set."""
        self._session.execute(insert(_SETS).values(asdict(record)))

    def count(self, sae_id: str) -> int:
        """How many sets an SAE has."""
        statement = select(func.count()).where(_SETS.c.sae_id == sae_id)
        return int(self._session.execute(statement).scalar_one())

    def of_sae(self, sae_id: str) -> list[FamilySetLine]:
        """The sets of an SAE, newest first, without their families."""
        statement = select(*(_SETS.c[name] for name in _LINE)).where(_SETS.c.sae_id == sae_id)
        ordered = statement.order_by(_SETS.c.created_at.desc(), _SETS.c.set_id.desc())
        rows = self._session.execute(ordered).mappings()
        return [FamilySetLine(**{name: row[name] for name in _LINE}) for row in rows]

    def get(self, set_id: str) -> FamilySetRecord | None:
        """The set, or None."""
        statement = select(_SETS).where(_SETS.c.set_id == set_id)
        row = self._session.execute(statement).mappings().first()
        return None if row is None else FamilySetRecord(**{name: row[name] for name in _ALL})

    def delete(self, set_id: str) -> bool:
        """Remove it; False when it is not there."""
        done = self._session.execute(delete(_SETS).where(_SETS.c.set_id == set_id))
        return bool(done.rowcount)  # type: ignore[attr-defined]
