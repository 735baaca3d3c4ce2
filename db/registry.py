"""The repository of models, SAEs and their preflights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from operator import itemgetter
from typing import Any, Literal, TypeVar

from sqlalchemy import Select, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.models import ModelRow, PreflightRow, RunIndex, RunSae, SaeKey, SaeRow, table
from db.records import ACTIVE
from db.registry_records import ModelRecord, PreflightRecord, SaeRecord

Kind = Literal["models", "saes"]
Record = TypeVar("Record", ModelRecord, SaeRecord, PreflightRecord)

_KEPT = ("created_at", "deleted_at")  # what a row knows and a folder does not


class RegistryRepository:
    """Every statement about the registry, within a session of `db.unit_of_work`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, records: Sequence[ModelRecord] | Sequence[SaeRecord]) -> None:
        """Insert the rows, or update those that are there; when they came and whether they were
        deleted stays as it is.
        """
        if not records:
            return
        target, key = _place("models" if isinstance(records[0], ModelRecord) else "saes")
        statement = self._insert(target)
        fresh = {
            column.name: column for column in statement.excluded if column.name not in (key, *_KEPT)
        }
        # In one order everywhere: two that lock the same rows crosswise would stop each other.
        rows = sorted(map(asdict, records), key=itemgetter(key))
        statement = statement.on_conflict_do_update(index_elements=[key], set_=fresh)
        self._session.execute(statement, rows)

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

    def insert_preflight(self, record: PreflightRecord) -> bool:
        """Keep a report; False when its SAE has no row."""
        saes = table(SaeRow).c
        # Locked where rows can be: the SAE is not forgotten between the two statements.
        there = select(saes.sae_id).where(saes.sae_id == record.sae_id)
        there = there.with_for_update(read=True, key_share=True)
        if self._session.scalar(there) is None:
            return False
        self._session.execute(insert(table(PreflightRow)).values(asdict(record)))
        return True

    def latest(self) -> dict[str, PreflightRecord]:
        """The newest report of each SAE with the model that it is registered for, by SAE.

        Without its curves, which are most of a report.
        """
        reports, saes = table(PreflightRow), table(SaeRow)
        # One look into the index per SAE: ranking all reports would sort them with their curves.
        older = reports.alias()
        newest = (
            select(older.c.preflight_id)
            .where(older.c.sae_id == saes.c.sae_id, older.c.model_id == saes.c.model_id)
            .order_by(older.c.created_at.desc(), older.c.preflight_id.desc())
            .limit(1)
            .correlate(saes)
            .scalar_subquery()
        )
        short = [column for column in reports.c if column.name != "curves"]
        statement = select(*short).join(saes, reports.c.preflight_id == newest)
        found = self._read(PreflightRecord, statement, curves={})
        return {record.sae_id: record for record in found}

    def preflight(self, preflight_id: str) -> PreflightRecord | None:
        """The report, whole; None when there is none."""
        reports = table(PreflightRow)
        statement = select(reports).where(reports.c.preflight_id == preflight_id)
        return next(iter(self._read(PreflightRecord, statement)), None)

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

    def usage(self, kind: Kind, most: int) -> dict[str, int]:
        """Stored runs by id of model or SAE, counted up to `most`; 0 is left out.

        A list must not read a million rows.
        """
        if kind == "models":
            models, used = table(ModelRow), table(RunIndex).c.model_id
            return self._counts(models, "model_id", "model_id", used, most)
        return self._counts(table(SaeKey), "sae_id", "sae_key", table(RunSae).c.sae_key, most)

    def active(self, kind: Kind, id: str) -> list[str]:
        """Runs with it that are queued or under way, oldest first."""
        runs = table(RunIndex).c
        statement = select(runs.created_at, runs.request_id).where(runs.status.in_(ACTIVE))
        if kind == "models":
            statement = statement.where(runs.model_id == id)
        else:
            used, keys = table(RunSae).c, table(SaeKey).c
            with_it = select(used.request_id).join(table(SaeKey), keys.sae_key == used.sae_key)
            with_it = with_it.where(keys.sae_id == id, used.status.in_(ACTIVE))
            statement = statement.where(runs.request_id.in_(with_it))
        # Sorted here: asked for an order, SQLite reads every run of the model to get it.
        return [request_id for _, request_id in sorted(self._session.execute(statement).tuples())]

    def _counts(self, owner: Table, id: str, key: str, used: Any, most: int) -> dict[str, int]:
        some = select(1).where(used == owner.c[key]).limit(most).correlate(owner)
        count = select(func.count()).select_from(some.subquery()).scalar_subquery()
        return {id: n for id, n in self._session.execute(select(owner.c[id], count)) if n}

    def _read(self, record: type[Record], statement: Select[Any], **given: Any) -> list[Record]:
        names = [field.name for field in fields(record) if field.name not in given]
        rows = self._session.execute(statement).mappings()
        return [record(**given, **{name: row[name] for name in names}) for row in rows]

    def _insert(self, target: Table) -> Any:
        assert self._session.bind is not None
        dialect = postgresql if self._session.bind.dialect.name == "postgresql" else sqlite
        return dialect.insert(target)


def _place(kind: Kind) -> tuple[Table, str]:
    return (table(ModelRow), "model_id") if kind == "models" else (table(SaeRow), "sae_id")
