"""The repository of probes."""

from __future__ import annotations

from dataclasses import asdict, fields

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.orm import Session

from db.models import ProbeRow, table
from db.probe_records import ProbeRecord

_PROBES = table(ProbeRow)
_NAMES = tuple(field.name for field in fields(ProbeRecord))


class ProbeRepository:
    """Every statement about probes, within a session of `db.unit_of_work`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of_feature(self, sae_id: str, feature_id: int) -> list[ProbeRecord]:
        """All of a feature, oldest first."""
        order = (_PROBES.c.created_at, _PROBES.c.probe_id)
        rows = self._session.execute(
            select(_PROBES).where(_of(sae_id, feature_id)).order_by(*order)
        ).mappings()
        return [ProbeRecord(**{name: row[name] for name in _NAMES}) for row in rows]

    def count(self, sae_id: str, feature_id: int) -> int:
        """How many a feature has."""
        found = select(func.count()).select_from(_PROBES).where(_of(sae_id, feature_id))
        return self._session.scalar(found) or 0

    def insert(self, record: ProbeRecord) -> None:
        """Keep a new probe.

        Raises:
            ValueError: its SAE has no row.
        """
        self._session.execute(insert(_PROBES).values(**asdict(record)))

    def set_measured(self, probe_id: str, measured_max: float, measured_with: str) -> bool:
        """Keep what was measured; False when the probe is gone."""
        statement = (
            update(_PROBES)
            .where(_PROBES.c.probe_id == probe_id)
            .values(measured_max=measured_max, measured_with=measured_with)
        )
        return bool(self._session.execute(statement).rowcount)  # type: ignore[attr-defined]

    def remove(self, sae_id: str, feature_id: int, probe_id: str) -> bool:
        """Remove the probe; False when the feature has none of that id."""
        statement = delete(_PROBES).where(_of(sae_id, feature_id), _PROBES.c.probe_id == probe_id)
        return bool(self._session.execute(statement).rowcount)  # type: ignore[attr-defined]


def _of(sae_id: str, feature_id: int) -> ColumnElement[bool]:
    return (_PROBES.c.sae_id == sae_id) & (_PROBES.c.feature_id == feature_id)
