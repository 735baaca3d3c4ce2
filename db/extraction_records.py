"""The plain values of extractions that their repository takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.job_records import JobRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExtraction:
    """An extraction as it is accepted; exactly one of `sae_id` and `training_id` is given."""

    extraction_id: str
    model_id: str
    hook_name: str
    layer: int
    d_sae: int
    corpus_id: str
    config: Mapping[str, Any]
    created_at: datetime
    job_id: str | None = None
    sae_id: str | None = None
    training_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionRecord(NewExtraction):
    """An extraction as its row has it.

    `status` and the errors are the job's as long as there is one, unless the extraction ended
    before it: that stays so, whatever becomes of the others of its job.
    """

    status: str  # one of db.job_records.JOB_STATUSES
    is_complete: bool
    size_bytes: int | None
    error_code: str | None
    error_message: str | None
    started_at: datetime | None
    finished_at: datetime | None
    live: Mapping[str, Any]
    corpus_name: str
    job: JobRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionFilter:
    """Which extractions to list; what is None does not filter."""

    status: str | None = None
    sae_id: str | None = None
    model_id: str | None = None
    corpus_id: str | None = None
    job_id: str | None = None
