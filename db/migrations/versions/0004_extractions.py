"""Corpora, and the extractions that are made of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# The types as they were at this revision: db.columns may change, history may not.
TEXT = sa.Text()
EXACT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INT = sa.BigInteger()
TIME = sa.TIMESTAMP(timezone=True).with_variant(sa.BigInteger(), "sqlite")
JSON = sa.JSON()

SOURCES = ("demo", "upload", "folder", "huggingface")
STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")


def upgrade() -> None:
    """Create the tables."""
    _create_corpora()
    _create_extractions()


def downgrade() -> None:
    """Drop the tables; the folders of corpora and stores stay."""
    op.drop_table("extraction_jobs")
    op.drop_table("corpora")


def _columns(kind: Any, *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    allowed = ", ".join(map(repr, values))
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=op.f(f"ck_{table}_{column}"))


def _create_corpora() -> None:
    op.create_table(
        "corpora",
        *_columns(EXACT, "corpus_id"),
        *_columns(TEXT, "name", "source", "origin"),
        *_columns(EXACT, "content_hash"),
        *_columns(TEXT, "text_column"),
        *_columns(JSON, "metadata_columns"),
        *_columns(INT, "n_documents", "n_chars", "n_skipped", "size_bytes"),
        *_columns(TIME, "created_at"),
        *_columns(TIME, "deleted_at", nullable=True),
        _one_of("corpora", "source", SOURCES),
        sa.PrimaryKeyConstraint("corpus_id", name=op.f("pk_corpora")),
    )
    op.create_index(op.f("ix_corpora_content_hash"), "corpora", ["content_hash"])


def _create_extractions() -> None:
    op.create_table(
        "extraction_jobs",
        *_columns(EXACT, "extraction_id"),
        *_columns(EXACT, "training_id", "external_sae_id", nullable=True),
        *_columns(EXACT, "model_id"),
        *_columns(TEXT, "hook_name"),
        *_columns(INT, "layer", "d_sae"),
        *_columns(EXACT, "corpus_id"),
        *_columns(EXACT, "job_id", nullable=True),
        *_columns(TEXT, "status"),
        *_columns(sa.Boolean(), "is_complete"),
        *_columns(INT, "size_bytes", nullable=True),
        *_columns(TEXT, "error_code", "error_message", nullable=True),
        *_columns(TIME, "created_at"),
        *_columns(TIME, "started_at", "finished_at", nullable=True),
        *_columns(JSON, "config", "live"),
        *_constraints(),
    )
    for equal in ((), ("external_sae_id",), ("model_id",), ("corpus_id",)):
        name = "_".join(("ix_extraction_jobs", *equal, "recent"))
        op.create_index(op.f(name), "extraction_jobs", [*equal, "created_at", "extraction_id"])
    op.create_index(op.f("ix_extraction_jobs_job_id"), "extraction_jobs", ["job_id"])


def _constraints() -> tuple[sa.Constraint, ...]:
    return (
        _one_of("extraction_jobs", "status", STATUSES),
        sa.CheckConstraint(
            "(training_id IS NOT NULL AND external_sae_id IS NULL) OR "
            "(training_id IS NULL AND external_sae_id IS NOT NULL)",
            name=op.f("ck_extraction_jobs_single_source"),
        ),
        sa.PrimaryKeyConstraint("extraction_id", name=op.f("pk_extraction_jobs")),
        _refers("external_sae_id", "saes.sae_id", "CASCADE"),
        _refers("corpus_id", "corpora.corpus_id", None),
        _refers("job_id", "jobs.job_id", "SET NULL"),
    )


def _refers(column: str, to: str, ondelete: str | None) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_extraction_jobs_{column}")
    return sa.ForeignKeyConstraint([column], [to], name=name, ondelete=ondelete)
