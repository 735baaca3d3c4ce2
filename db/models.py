"""The tables of runs, and a door to all tables. Names that the seed products had are kept.

A run is spread by how it is read: the index row for lists, the preview for its page, one timeline
per SAE, and postings that answer "in which runs did feature f fire above x" exactly.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    DDL,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    event,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import ExecutableDDLElement

from db.base import Base, table
from db.columns import SafeText
from db.corpus_models import CorpusRow
from db.extraction_models import ExtractionRow
from db.job_models import JobLogRow, JobRow
from db.label_models import (
    FamilySetRow,
    FeatureRow,
    LabelDocumentRow,
    LabelHistoryRow,
    LabelRevisionRow,
    LabelRow,
    ProbeRow,
    SavedViewRow,
)
from db.records import STATUSES
from db.registry_models import ModelRow, PreflightRow, SaeRow

__all__ = [
    "SEQ_BITS",
    "Base",
    "CorpusRow",
    "ExtractionRow",
    "FamilySetRow",
    "FeatureRow",
    "JobLogRow",
    "JobRow",
    "LabelDocumentRow",
    "LabelHistoryRow",
    "LabelRevisionRow",
    "LabelRow",
    "ModelRow",
    "PreflightRow",
    "ProbeRow",
    "RunIndex",
    "RunPosting",
    "RunPreview",
    "RunSae",
    "RunTimeline",
    "SaeKey",
    "SaeRow",
    "SavedViewRow",
    "table",
]

SEQ_BITS = 10  # low bits of run_seq, which tell apart the runs of one microsecond


def _recent(table_name: str, *columns: str) -> Index:
    """An index that gives the runs of equal `columns` in the order of the list, read backwards."""
    name = "_".join(("ix", table_name, *columns, "recent"))
    return Index(name, *columns, "created_at", "request_id")


class RunIndex(Base):
    """One line of the list of runs; long columns last, where a list does not read them."""

    __tablename__ = "activation_run_index"
    __table_args__ = (
        CheckConstraint(f"status IN ({', '.join(map(repr, STATUSES))})", name="status"),
        _recent("activation_run_index"),
        _recent("activation_run_index", "status"),
        _recent("activation_run_index", "model_id"),
        _recent("activation_run_index", "model_id", "status"),
        _recent("activation_run_index", "sae_enabled"),
    )

    request_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    run_seq: Mapped[int] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    model_id: Mapped[str] = mapped_column(SafeText(exact=True))
    status: Mapped[str]
    owner: Mapped[str | None]
    heartbeat_at: Mapped[datetime | None]
    fingerprint: Mapped[str]
    prompt_chars: Mapped[int]
    prompt_tokens: Mapped[int]
    output_tokens: Mapped[int]
    events_count: Mapped[int]
    actions_count: Mapped[int]
    activation_rows_count: Mapped[int]
    unique_features_count: Mapped[int]
    sae_enabled: Mapped[bool]
    sae_id: Mapped[str | None] = mapped_column(SafeText(exact=True))  # the first of sae_ids
    sae_layer: Mapped[int | None]
    sae_top_k: Mapped[int]
    duration_ms: Mapped[int | None]
    finish_reason: Mapped[str | None]
    sae_ids: Mapped[list[Any]]
    sae_layers: Mapped[list[Any]]
    top_features_preview: Mapped[list[Any]]
    prompt_preview: Mapped[str]
    error_message: Mapped[str | None]
    notes: Mapped[str]
    prompt_search: Mapped[str] = mapped_column(deferred=True)  # casefolded beginning of the prompt


class SaeKey(Base):
    """A small number for each SAE id that a run ever named."""

    __tablename__ = "activation_sae_keys"

    sae_key: Mapped[int] = mapped_column(Integer, Identity(always=False), primary_key=True)
    sae_id: Mapped[str] = mapped_column(SafeText(exact=True), unique=True)


class RunSae(Base):
    """Which runs used an SAE; status and model repeat the run's, so that one index suffices to
    list an SAE's runs under either filter.
    """

    __tablename__ = "activation_run_saes"
    __table_args__ = (
        _recent("activation_run_saes", "sae_key"),
        _recent("activation_run_saes", "sae_key", "status"),
        _recent("activation_run_saes", "sae_key", "model_id"),
        {"sqlite_with_rowid": False},
    )

    request_id: Mapped[str] = mapped_column(
        SafeText(exact=True),
        ForeignKey("activation_run_index.request_id", ondelete="CASCADE"),
        primary_key=True,
    )
    sae_key: Mapped[int] = mapped_column(
        Integer, ForeignKey("activation_sae_keys.sae_key"), primary_key=True
    )
    created_at: Mapped[datetime]
    model_id: Mapped[str] = mapped_column(SafeText(exact=True))
    status: Mapped[str]


class RunPreview(Base):
    """The texts of a run, the accepted request, and what the run was computed with."""

    __tablename__ = "activation_run_previews"

    request_id: Mapped[str] = mapped_column(
        SafeText(exact=True),
        ForeignKey("activation_run_index.request_id", ondelete="CASCADE"),
        primary_key=True,
    )
    model_id: Mapped[str] = mapped_column(SafeText(exact=True))
    sae_id: Mapped[str | None] = mapped_column(SafeText(exact=True))
    sae_layer: Mapped[int | None]
    sae_top_k: Mapped[int]
    prompt: Mapped[str]
    rendered_prompt: Mapped[str]
    prompt_token_ids: Mapped[list[Any]]
    output_text: Mapped[str]
    output_token_ids: Mapped[list[Any]]
    tokens: Mapped[bytes]  # db.blobs.encode_tokens
    request: Mapped[dict[str, Any]]
    provenance: Mapped[dict[str, Any]]


class RunTimeline(Base):
    """The features of one SAE by position."""

    __tablename__ = "activation_run_timelines"

    request_id: Mapped[str] = mapped_column(
        SafeText(exact=True),
        ForeignKey("activation_run_index.request_id", ondelete="CASCADE"),
        primary_key=True,
    )
    sae_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    ordinal: Mapped[int]  # order in which the request named the SAEs
    hook_name: Mapped[str]
    layer: Mapped[int]
    top_k: Mapped[int]
    error: Mapped[str | None]
    feature_timeline: Mapped[bytes] = mapped_column(deferred=True)  # db.blobs.encode_timeline


class RunPosting(Base):
    """An exact inverted index: 256 consecutive features of one SAE in one run per row.

    Bucket = feature_id >> 8. Runs of a bucket lie in the order of the list, since run_seq grows
    with created_at.
    """

    __tablename__ = "activation_run_postings"
    __table_args__ = (Index(None, "run_seq"), {"sqlite_with_rowid": False})

    sae_key: Mapped[int] = mapped_column(
        Integer, ForeignKey("activation_sae_keys.sae_key"), primary_key=True
    )
    bucket: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    run_seq: Mapped[int] = mapped_column(
        ForeignKey("activation_run_index.run_seq", ondelete="CASCADE"), primary_key=True
    )
    postings: Mapped[bytes]  # db.blobs.encode_postings


# What is compressed already must not be compressed again on its way in and out.
_COMPRESSED = ((RunPreview, "tokens"), (RunTimeline, "feature_timeline"), (RunPosting, "postings"))

for _model, _column in _COMPRESSED:
    _set_storage: ExecutableDDLElement = DDL(
        f"ALTER TABLE {_model.__tablename__} ALTER COLUMN {_column} SET STORAGE EXTERNAL"
    )
    event.listen(table(_model), "after_create", _set_storage.execute_if(dialect="postgresql"))
