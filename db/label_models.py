"""The tables of what people say of features. `features` has the names of the first design."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    UniqueConstraint,
    event,
)
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.schema import ExecutableDDLElement

from db.base import Base, table
from db.columns import Json, SafeText
from db.label_records import LABEL_SOURCES

_SERIAL = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts only INTEGER


def _of_sae() -> Any:
    return mapped_column(SafeText(exact=True), ForeignKey("saes.sae_id", ondelete="CASCADE"))


def _of_feature() -> Any:
    return mapped_column(
        SafeText(exact=True), ForeignKey("features.feature_key", ondelete="CASCADE")
    )


class FeatureRow(Base):
    """A feature that somebody said something of; `training_id` waits for the table of trainings.

    `revision` is that of the SAE (`label_revisions`) when anything of the feature was last written.
    """

    __tablename__ = "features"
    __table_args__ = (
        CheckConstraint(
            "(training_id IS NOT NULL AND external_sae_id IS NULL) OR "
            "(training_id IS NULL AND external_sae_id IS NOT NULL)",
            name="single_source",
        ),
        CheckConstraint("neuron_index >= 0", name="neuron_index"),
        UniqueConstraint("external_sae_id", "neuron_index"),
        Index(None, "external_sae_id", "revision"),
    )

    feature_key: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    training_id: Mapped[str | None] = mapped_column(SafeText(exact=True))
    external_sae_id: Mapped[str | None] = _of_sae()
    neuron_index: Mapped[int]
    is_starred: Mapped[bool]
    chosen_label_id: Mapped[str | None] = mapped_column(SafeText(exact=True))
    skip_reason: Mapped[str | None]
    skipped_by: Mapped[str | None]
    revision: Mapped[int]


class LabelRevisionRow(Base):
    """Counts what was written of an SAE's features; its lock lets one writer through at a time.

    `epoch` is another when the SAE was removed and came again.
    """

    __tablename__ = "label_revisions"

    sae_id: Mapped[str] = mapped_column(
        SafeText(exact=True), ForeignKey("saes.sae_id", ondelete="CASCADE"), primary_key=True
    )
    epoch: Mapped[str] = mapped_column(SafeText(exact=True))
    revision: Mapped[int]


class LabelDocumentRow(Base):
    """What an imported file says beside its labels, so that it can be written again."""

    __tablename__ = "label_documents"
    __table_args__ = (Index(None, "sae_id", "created_at"),)

    document_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    sae_id: Mapped[str] = _of_sae()
    format: Mapped[str]
    layout: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class LabelRow(Base):
    """One label; several may stand at a feature."""

    __tablename__ = "labels"
    __table_args__ = (
        CheckConstraint(f"source IN ({', '.join(map(repr, LABEL_SOURCES))})", name="source"),
        CheckConstraint("confidence >= 0 AND confidence <= 1", name="confidence"),
        Index(None, "feature_key"),
        Index(None, "document_id"),
    )

    label_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    feature_key: Mapped[str] = _of_feature()
    text: Mapped[str]
    category: Mapped[str | None]
    notes: Mapped[str]
    confidence: Mapped[float | None] = mapped_column(Double())
    source: Mapped[str]
    source_name: Mapped[str | None]
    author: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    document_id: Mapped[str | None] = mapped_column(SafeText(exact=True))
    document_row: Mapped[int | None]
    extra: Mapped[dict[str, Any] | None] = mapped_column(Json)


class LabelHistoryRow(Base):
    """One change of a feature's labels or marks.

    `undoes` is the change that this one took back, `undone_by` the batch that took this one back.
    """

    __tablename__ = "label_history"
    __table_args__ = (
        Index(None, "batch_id"),
        Index(None, "sae_id", "change_id"),
        Index(None, "feature_key", "change_id"),
    )

    change_id: Mapped[int] = mapped_column(_SERIAL, Identity(always=False), primary_key=True)
    batch_id: Mapped[str] = mapped_column(SafeText(exact=True))
    sae_id: Mapped[str] = _of_sae()
    feature_key: Mapped[str] = _of_feature()
    at: Mapped[datetime]
    author: Mapped[str]
    action: Mapped[str]
    before: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after: Mapped[dict[str, Any] | None] = mapped_column(Json)
    undoes: Mapped[int | None]
    undone_by: Mapped[str | None] = mapped_column(SafeText(exact=True))


class SavedViewRow(Base):
    """A kept selection of the table of features."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("sae_id", "name"),)

    view_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    sae_id: Mapped[str] = _of_sae()
    name: Mapped[str]
    state: Mapped[dict[str, Any]]
    author: Mapped[str]
    created_at: Mapped[datetime]


class ProbeRow(Base):
    """A text that should, or should not, make a feature fire."""

    __tablename__ = "probes"
    __table_args__ = (
        CheckConstraint("feature_id >= 0", name="feature_id"),
        Index(None, "sae_id", "feature_id"),
    )

    probe_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    sae_id: Mapped[str] = _of_sae()
    feature_id: Mapped[int]
    text: Mapped[str]
    should_fire: Mapped[bool]
    measured_max: Mapped[float | None] = mapped_column(Double())
    measured_with: Mapped[str | None]
    author: Mapped[str]
    created_at: Mapped[datetime]


class FamilySetRow(Base):
    """Families of features that were kept; `families` is compressed Arrow."""

    __tablename__ = "family_sets"
    __table_args__ = (Index(None, "sae_id", "created_at"),)

    set_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    sae_id: Mapped[str] = _of_sae()
    name: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    families: Mapped[bytes]
    author: Mapped[str]
    created_at: Mapped[datetime]


_set_storage: ExecutableDDLElement = DDL(
    "ALTER TABLE family_sets ALTER COLUMN families SET STORAGE EXTERNAL"
)
event.listen(table(FamilySetRow), "after_create", _set_storage.execute_if(dialect="postgresql"))
