"""The registry's tables, in the house's own values and errors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeVar

from db.extractions import ExtractionRepository, Source
from db.registry import Kind, RegistryRepository
from db.registry_records import ModelRecord, PreflightRecord, SaeRecord
from services import text
from services.database import Database
from services.errors import NotFound
from services.types import RUNS_COUNTED, Finding, PreflightReport, Verdict

Record = TypeVar("Record", ModelRecord, SaeRecord)

_INT_MOST = 2**63 - 1  # of a column; configurations write 10**30 for "no limit"


@dataclass(frozen=True, slots=True)
class RegistryRows:
    """Every model and SAE that was ever seen and not forgotten, by id."""

    models: Mapping[str, ModelRecord]
    saes: Mapping[str, SaeRecord]


@dataclass(frozen=True, slots=True)
class Usage:
    """Stored runs by id, counted up to RUNS_COUNTED."""

    models: Mapping[str, int]
    saes: Mapping[str, int]


class RegistryStore:
    """Keeps what folders cannot: when something came, that it was deleted, what was measured.

    Raises:
        Unavailable, ResourceExhausted: see services.database; from every method.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def sync(self, models: Sequence[ModelRecord], saes: Sequence[SaeRecord]) -> None:
        """Write down what was found in folders; marks and dates of what is known stay."""
        with self._write() as registry:
            registry.keep([storable_record(record) for record in models])
            registry.keep([storable_record(record) for record in saes])

    def rows(self) -> RegistryRows:
        """All of both."""
        with self._read() as registry:
            return RegistryRows(registry.models(), registry.saes())

    def set_deleted(self, kind: Kind, id: str, at: datetime | None) -> None:
        """Take out of use at a time, or (None) back into it.

        Raises:
            NotFound: there is no such row.
        """
        with self._write() as registry:
            if not registry.set_deleted(kind, id, at):
                raise NotFound(f"{id[:200]!r} is none of the registered {kind}", id=id[:200])

    def forget(self, kind: Kind, id: str) -> None:
        """Remove the row, and an SAE's preflights with it."""
        with self._write() as registry:
            registry.forget(kind, id)

    def keep_preflight(self, report: PreflightReport) -> None:
        """Keep a report.

        Raises:
            NotFound: its SAE was forgotten meanwhile.
        """
        with self._write() as registry:
            if not registry.insert_preflight(_record_of(report)):
                raise NotFound(f"SAE {report.sae_id!r} is not registered", id=report.sae_id)

    def latest(self) -> dict[str, PreflightReport]:
        """The newest report of each SAE with the model that it is registered for, by SAE; without
        its curves.
        """
        with self._read() as registry:
            return {id: _report_of(record) for id, record in registry.latest().items()}

    def preflight(self, preflight_id: str) -> PreflightReport | None:
        """The report, whole; None when it was forgotten."""
        with self._read() as registry:
            record = registry.preflight(preflight_id)
        return None if record is None else _report_of(record)

    def history(self, sae_id: str, limit: int = 50) -> tuple[PreflightReport, ...]:
        """The SAE's reports, newest first."""
        with self._read() as registry:
            return tuple(map(_report_of, registry.history(sae_id, limit)))

    def usage(self) -> Usage:
        """How many stored runs used each model and each SAE."""
        with self._read() as registry:
            return Usage(
                registry.usage("models", RUNS_COUNTED), registry.usage("saes", RUNS_COUNTED)
            )

    def active(self, kind: Kind, id: str) -> tuple[str, ...]:
        """Ids of the runs with it that are queued or under way, oldest first."""
        with self._read() as registry:
            return tuple(registry.active(kind, id))

    def extractions(self, kind: Kind, id: str, *, active_only: bool = False) -> tuple[str, ...]:
        """Ids of the extractions with it, or of those that wait or are under way, oldest first."""
        source: Source = "model_id" if kind == "models" else "sae_id"
        with self._database.read() as session:
            rows = ExtractionRepository(session)
            return tuple(rows.active(source, id) if active_only else rows.ids(source, id))

    @contextmanager
    def _read(self) -> Iterator[RegistryRepository]:
        with self._database.read() as session:
            yield RegistryRepository(session)

    @contextmanager
    def _write(self) -> Iterator[RegistryRepository]:
        with self._database.write() as session:
            yield RegistryRepository(session)


def _record_of(report: PreflightReport) -> PreflightRecord:
    return PreflightRecord(
        preflight_id=report.preflight_id,
        sae_id=report.sae_id,
        model_id=report.model_id,
        created_at=report.created_at,
        verdict=report.verdict.value,
        sae_revision=report.sae_revision,
        model_revision=report.model_revision,
        duration_s=report.duration_s,
        findings=[_storable(asdict(finding)) for finding in report.findings],
        metrics=_storable(report.metrics),
        published=_storable(report.published),
        conditions=_storable(report.conditions),
        curves=_storable(report.curves),
    )


def _report_of(record: PreflightRecord) -> PreflightReport:
    return PreflightReport(
        preflight_id=record.preflight_id,
        sae_id=record.sae_id,
        model_id=record.model_id,
        created_at=record.created_at,
        verdict=Verdict(record.verdict),
        findings=tuple(
            Finding(f["code"], Verdict(f["verdict"]), f["message"], f["remedy"])
            for f in record.findings
        ),
        metrics=record.metrics,
        published=record.published,
        conditions=record.conditions,
        curves={name: tuple(values) for name, values in record.curves.items()},
        sae_revision=record.sae_revision,
        model_revision=record.model_revision,
        duration_s=record.duration_s,
    )


def storable_record(record: Record) -> Record:
    """`record` as both databases keep it: one odd name in a file must not stop the others."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return replace(record, **{name: _storable(value) for name, value in values.items()})


def _storable(value: Any) -> Any:
    """`value` as columns and JSON keep it: text made storable, integers of 64 bits, and None for
    what is no finite number.
    """
    if isinstance(value, str):
        return text.storable(value)
    if isinstance(value, Mapping):
        return {text.storable(str(key)): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-_INT_MOST, min(value, _INT_MOST))
    return value
