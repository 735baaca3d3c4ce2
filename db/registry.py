"""The repository of models, SAEs and their preflights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, Literal, TypeVar

from sqlalchemy import ColumnElement, Select, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.models import ModelRow, PreflightRow, RunIndex, RunSae, SaeKey, SaeRow, table
from db.records import ACTIVE
from db.registry_records import ModelRecord, PreflightRecord, SaeRecord

Kind = Literal["models", "saes"]
Record = TypeVar("Record", ModelRecord, SaeRecord, PreflightRecord)

COUNTED_MOST = 1000
"""Runs that used a model or an SAE are counted up to here: a list must not read a million rows."""

_KEPT = ("created_at", "deleted_at")  # what a row knows and a folder does not


class RegistryRepository:
    """Every statement about the registry, within a session of `db.unit_of_work`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, records: Sequence[ModelRecord] | Sequence[SaeRecord]) -> None:
        """Insert the rows, or update those that are there; when they came and whether they were
        deleted stays as it is.
        """
        for record in records:
            target, key = _place("models" if isinstance(record, ModelRecord) else "saes")
            values = asdict(record)
            statement = self._insert(target).values(values)
            fresh = {name: values[name] for name in values if name not in (key, *_KEPT)}
            self._session.execute(statement.on_conflict_do_update(index_elements=[key], set_=fresh))

    def models(self) -> dict[str, ModelRecord]:
        """All models, by id."""
        found = self._read(ModelRecord, select(table(ModelRow)))
        return {record.model_id: record for record in found}

    def saes(self) -> dict[str, SaeRecord]:
        """All SAEs, by id."""
        return {record.sae_id: record for record in self._read(SaeRecord, select(table(SaeRow)))}

    def set_deleted(self, kind: Kind, id: str, at: datetime | None) -> bool:
        """Mark or unmark; False when there is no such row."""
        target, key = _place(kind)
        statement = update(target).where(target.c[key] == id).values(deleted_at=at)
        return bool(self._session.execute(statement).rowcount)  # type: ignore[attr-defined]

    def forget(self, kind: Kind, id: str) -> None:
        """Remove the row, an SAE's with its preflights."""
        target, key = _place(kind)
        self._session.execute(delete(target).where(target.c[key] == id))

    # Preflights

    def insert_preflight(self, record: PreflightRecord) -> None:
        """Keep a report; its SAE has a row."""
        self._session.execute(insert(table(PreflightRow)).values(asdict(record)))

    def latest(self) -> dict[str, PreflightRecord]:
        """The newest report of each SAE with the model that it is registered for, by SAE."""
        reports, saes = table(PreflightRow), table(SaeRow)
        newest = func.row_number().over(
            partition_by=reports.c.sae_id,
            order_by=(reports.c.created_at.desc(), reports.c.preflight_id.desc()),
        )
        ranked = (
            select(reports, newest.label("age"))
            .join(saes, saes.c.sae_id == reports.c.sae_id)
            .where(saes.c.model_id == reports.c.model_id)
            .subquery()
        )
        found = self._read(PreflightRecord, select(ranked).where(ranked.c.age == 1))
        return {record.sae_id: record for record in found}

    def history(self, sae_id: str, limit: int) -> list[PreflightRecord]:
        """The SAE's reports, newest first."""
        reports = table(PreflightRow)
        statement = (
            select(reports)
            .where(reports.c.sae_id == sae_id)
            .order_by(reports.c.created_at.desc(), reports.c.preflight_id.desc())
            .limit(limit)
        )
        return self._read(PreflightRecord, statement)

    # Runs that used them

    def usage(self, kind: Kind) -> dict[str, int]:
        """Stored runs by id of model or SAE, counted up to COUNTED_MOST; 0 is left out."""
        if kind == "models":
            return self._counts(table(ModelRow).c.model_id, table(RunIndex).c.model_id)
        keys = table(SaeKey).c
        return self._counts(keys.sae_id, table(RunSae).c.sae_key, keys.sae_key)

    def active(self, kind: Kind, id: str) -> list[str]:
        """Runs with it that are queued or under way."""
        runs = table(RunIndex).c
        statement = select(runs.request_id).where(runs.status.in_(ACTIVE))
        if kind == "models":
            statement = statement.where(runs.model_id == id)
        else:
            used, keys = table(RunSae).c, table(SaeKey).c
            with_it = select(used.request_id).join(table(SaeKey), keys.sae_key == used.sae_key)
            with_it = with_it.where(keys.sae_id == id, used.status.in_(ACTIVE))
            statement = statement.where(runs.request_id.in_(with_it))
        return list(self._session.scalars(statement.order_by(runs.created_at)))

    def _counts(
        self, id: ColumnElement[str], used: Any, match: ColumnElement[Any] | None = None
    ) -> dict[str, int]:
        some = select(1).where(used == (id if match is None else match)).limit(COUNTED_MOST)
        owner = (id if match is None else match).table  # type: ignore[attr-defined]
        counted = some.correlate(owner).subquery()
        count = select(func.count()).select_from(counted).scalar_subquery()
        return {id: n for id, n in self._session.execute(select(id, count)) if n}

    def _read(self, record: type[Record], statement: Select[Any]) -> list[Record]:
        names = [field.name for field in fields(record)]
        rows: Sequence[Mapping[str, Any]] = self._session.execute(statement).mappings().all()
        return [record(**{name: row[name] for name in names}) for row in rows]

    def _insert(self, target: Table) -> Any:
        assert self._session.bind is not None
        dialect = postgresql if self._session.bind.dialect.name == "postgresql" else sqlite
        return dialect.insert(target)


def _place(kind: Kind) -> tuple[Table, str]:
    return (table(ModelRow), "model_id") if kind == "models" else (table(SaeRow), "sae_id")
