"""The tables of the registry: what folders cannot keep, and an index of what they hold.

`saes` is the first design's `external_saes`, under the name of what it holds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base
from db.columns import SafeText
from db.registry_records import SOURCES, VERDICTS


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(map(repr, values))})", name=column)


class ModelRow(Base):
    """A model that was seen in a folder of this server."""

    __tablename__ = "models"
    __table_args__ = (_one_of("source", SOURCES),)

    model_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    source: Mapped[str]
    repo_id: Mapped[str | None]
    repo_revision: Mapped[str | None]
    family: Mapped[str]
    n_layers: Mapped[int]
    d_model: Mapped[int]
    n_ctx: Mapped[int]
    n_vocab: Mapped[int]
    n_params: Mapped[int | None]
    dtype: Mapped[str]
    has_chat_template: Mapped[bool]
    local_path: Mapped[str]
    size_bytes: Mapped[int]
    sha256: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class SaeRow(Base):
    """An SAE that was seen in a folder of this server.

    `model_id` is no foreign key: an SAE may wait for its model.
    """

    __tablename__ = "saes"
    __table_args__ = (_one_of("source", SOURCES), Index(None, "model_id"))

    sae_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    source: Mapped[str]
    model_id: Mapped[str] = mapped_column(SafeText(exact=True))
    trained_on: Mapped[str]
    hook_name: Mapped[str]
    layer: Mapped[int]
    d_in: Mapped[int]
    d_sae: Mapped[int]
    architecture: Mapped[str]
    format: Mapped[str]
    repo_id: Mapped[str | None]
    repo_revision: Mapped[str | None]
    repo_path: Mapped[str | None]
    release: Mapped[str | None]
    catalogue_id: Mapped[str | None]
    neuronpedia_id: Mapped[str | None]
    local_path: Mapped[str]
    size_bytes: Mapped[int]
    sha256: Mapped[str | None]
    published: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class PreflightRow(Base):
    """What was measured of an SAE together with a model."""

    __tablename__ = "sae_preflights"
    __table_args__ = (
        _one_of("verdict", VERDICTS),
        Index("ix_sae_preflights_recent", "sae_id", "created_at", "preflight_id"),
    )

    preflight_id: Mapped[str] = mapped_column(SafeText(exact=True), primary_key=True)
    sae_id: Mapped[str] = mapped_column(
        SafeText(exact=True), ForeignKey("saes.sae_id", ondelete="CASCADE")
    )
    model_id: Mapped[str] = mapped_column(SafeText(exact=True))
    created_at: Mapped[datetime]
    verdict: Mapped[str]
    sae_revision: Mapped[str]
    model_revision: Mapped[str]
    duration_s: Mapped[float] = mapped_column(Double())
    findings: Mapped[list[Any]]
    metrics: Mapped[dict[str, Any]]
    published: Mapped[dict[str, Any]]
    conditions: Mapped[dict[str, Any]]
    curves: Mapped[dict[str, Any]]
