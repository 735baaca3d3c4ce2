"""The table of extractions: one row per SAE that reads a corpus. Names of the first design."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.columns import SafeText
from db.job_records import JOB_STATUSES


def _recent(*columns: str) -> Index:
    name = "_".join(("ix_extraction_jobs", *columns, "recent"))
    return Index(name, *columns, "created_at", "extraction_id")


class ExtractionRow(Base):
    """What is kept of an extraction beside its store; its job says how far it is.

    `training_id` waits for the table of trainings.
    """

    __tablename__ = "extraction_jobs"
    __table_args__ = (
        CheckConstraint(f"status IN ({', '.join(map(repr, JOB_STATUSES))})", name="status"),
        CheckConstraint(
            "(training_id IS NOT NULL AND external_sae_id IS NULL) OR "
            "(training_id IS NULL AND external_sae_id IS NOT NULL)",
            name="single_source",
        ),
        _recent(),
        _recent("external_sae_id"),
        _recent("model_id"),
        _recent("corpus_id"),
        Index(None, "job_id"),
    )

    extraction_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    training_id: Mapped[str | None] = mapped_column(SafeText(exact=True))
    external_sae_id: Mapped[str | None] = mapped_column(
        SafeText(exact=True), ForeignKey("saes.sae_id", ondelete="CASCADE")
    )
    model_id: Mapped[str] = mapped_column(SafeText(exact=True))
    hook_name: Mapped[str]
    layer: Mapped[int]
    d_sae: Mapped[int]
    corpus_id: Mapped[str] = mapped_column(SafeText(exact=True), ForeignKey("corpora.corpus_id"))
    job_id: Mapped[str | None] = mapped_column(
        SafeText(exact=True), ForeignKey("jobs.job_id", ondelete="SET NULL")
    )
    status: Mapped[str]
    is_complete: Mapped[bool]
    size_bytes: Mapped[int | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    config: Mapped[dict[str, Any]]
    live: Mapped[dict[str, Any]]
