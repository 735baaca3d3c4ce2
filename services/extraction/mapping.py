"""Between the records of extractions and the values that pages, REST and the command line see."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from db.extraction_records import ExtractionRecord
from services.jobs.mapping import view_of as job_view_of
from services.text import storable
from services.types import ExtractionEstimate, ExtractionLive, ExtractionView, JobStatus

_OTHERWISE = {"status", "live", "sae_id"}
_SAME = tuple(
    ({f.name for f in fields(ExtractionView)} & {f.name for f in fields(ExtractionRecord)})
    - _OTHERWISE
)
_OF_THE_JOB = ("phase", "done", "total", "unit", "per_s", "eta_s", "phases", "message")
_NO_JOB = dict(zip(_OF_THE_JOB, ("", 0, None, "", None, None, (), ""), strict=True))


def view_of(record: ExtractionRecord) -> ExtractionView:
    """The extraction as others see it."""
    same: dict[str, Any] = {name: getattr(record, name) for name in _SAME}
    status, live = JobStatus(record.status), live_of(record.live)
    job = None if record.job is None else job_view_of(record.job)
    progress = _NO_JOB if job is None else {name: getattr(job, name) for name in _OF_THE_JOB}
    if status.is_final:  # also one that is complete while others of its job are not
        progress = progress | {"per_s": None, "eta_s": None}
    return ExtractionView(
        **same,
        **progress,
        sae_id=record.sae_id or "",
        source_type="training" if record.training_id else "sae",
        status=status,
        live=live,
        has_store=record.is_complete or live.n_tokens > 0,
    )


def live_of(values: Mapping[str, Any]) -> ExtractionLive:
    """What was kept of an extraction's standing; unknown names of other versions are left out."""
    known = {f.name for f in fields(ExtractionLive)} & values.keys()
    made: dict[str, Any] = {name: values[name] for name in known}
    lists: dict[str, Any] = {n: tuple(v) for n, v in made.items() if isinstance(v, list)}
    return ExtractionLive(**(made | lists))


def live_values(live: ExtractionLive) -> dict[str, Any]:
    """`live` as the database keeps it."""
    kept: dict[str, Any] = json_values(asdict(live))
    return kept


def json_values(value: Any) -> Any:
    """`value` as JSON that both databases keep; None for what is no finite number."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {storable(str(key)): json_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def extraction_document(view: ExtractionView) -> dict[str, Any]:
    """An extraction as JSON values."""
    document: dict[str, Any] = json_values(asdict(view))
    return document


def estimate_document(estimate: ExtractionEstimate) -> dict[str, Any]:
    """An estimate as JSON values."""
    document: dict[str, Any] = json_values(asdict(estimate))
    return document
