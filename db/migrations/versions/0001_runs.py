"""The tables of runs: index, SAEs, previews, timelines, postings."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# The types as they were at this revision: db.columns may change, history may not.
TEXT = sa.Text()
EXACT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INT = sa.BigInteger()
TIME = sa.TIMESTAMP(timezone=True).with_variant(sa.BigInteger(), "sqlite")
JSON = sa.JSON()
BLOB = sa.LargeBinary()

STATUSES = ("queued", "running", "ok", "partial", "error", "cancelled", "interrupted")


def upgrade() -> None:
    """Create the tables."""
    _create_index()
    _create_saes()
    _create_previews()
    _create_timelines()
    _create_postings()


def downgrade() -> None:
    """Drop the tables with all runs."""
    for name in ("postings", "timelines", "previews", "saes"):
        op.drop_table(f"activation_run_{name}")
    op.drop_table("activation_sae_keys")
    op.drop_table("activation_run_index")


def _columns(kind: Any, *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _create_index() -> None:
    table = "activation_run_index"
    counts = ("prompt_chars", "prompt_tokens", "output_tokens", "events_count", "actions_count")
    op.create_table(
        table,
        *_columns(EXACT, "request_id"),
        *_columns(INT, "run_seq"),
        *_columns(TIME, "created_at", "updated_at"),
        *_columns(EXACT, "model_id"),
        *_columns(TEXT, "status"),
        *_columns(TEXT, "owner", nullable=True),
        *_columns(TIME, "heartbeat_at", nullable=True),
        *_columns(TEXT, "fingerprint"),
        *_columns(INT, *counts, "activation_rows_count", "unique_features_count"),
        *_columns(sa.Boolean(), "sae_enabled"),
        *_columns(EXACT, "sae_id", nullable=True),
        *_columns(INT, "sae_layer", nullable=True),
        *_columns(INT, "sae_top_k"),
        *_columns(INT, "duration_ms", nullable=True),
        *_columns(TEXT, "finish_reason", nullable=True),
        *_columns(JSON, "sae_ids", "sae_layers", "top_features_preview"),
        *_columns(TEXT, "prompt_preview"),
        *_columns(TEXT, "error_message", nullable=True),
        *_columns(TEXT, "notes", "prompt_search"),
        sa.CheckConstraint(
            f"status IN ({', '.join(map(repr, STATUSES))})", name=op.f(f"ck_{table}_status")
        ),
        sa.PrimaryKeyConstraint("request_id", name=op.f(f"pk_{table}")),
        sa.UniqueConstraint("run_seq", name=op.f(f"uq_{table}_run_seq")),
    )
    for equal in ((), ("status",), ("model_id",), ("model_id", "status"), ("sae_enabled",)):
        _create_recent(table, *equal)


def _create_recent(table: str, *equal: str) -> None:
    name = "_".join(("ix", table, *equal, "recent"))
    op.create_index(op.f(name), table, [*equal, "created_at", "request_id"])


def _create_saes() -> None:
    op.create_table(
        "activation_sae_keys",
        sa.Column("sae_key", sa.Integer(), sa.Identity(always=False), nullable=False),
        *_columns(EXACT, "sae_id"),
        sa.PrimaryKeyConstraint("sae_key", name=op.f("pk_activation_sae_keys")),
        sa.UniqueConstraint("sae_id", name=op.f("uq_activation_sae_keys_sae_id")),
    )
    table = "activation_run_saes"
    op.create_table(
        table,
        *_columns(EXACT, "request_id"),
        *_columns(sa.Integer(), "sae_key"),
        *_columns(TIME, "created_at"),
        *_columns(EXACT, "model_id"),
        *_columns(TEXT, "status"),
        sa.PrimaryKeyConstraint("request_id", "sae_key", name=op.f(f"pk_{table}")),
        _belongs_to_run(table),
        _names_sae(table),
        sqlite_with_rowid=False,
    )
    for equal in (("sae_key",), ("sae_key", "status"), ("sae_key", "model_id")):
        _create_recent(table, *equal)


def _belongs_to_run(table: str, column: str = "request_id") -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}")
    target = f"activation_run_index.{column}"
    return sa.ForeignKeyConstraint([column], [target], name=name, ondelete="CASCADE")


def _names_sae(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_sae_key")
    return sa.ForeignKeyConstraint(["sae_key"], ["activation_sae_keys.sae_key"], name=name)


def _create_previews() -> None:
    table = "activation_run_previews"
    op.create_table(
        table,
        *_columns(EXACT, "request_id", "model_id"),
        *_columns(EXACT, "sae_id", nullable=True),
        *_columns(INT, "sae_layer", nullable=True),
        *_columns(INT, "sae_top_k"),
        *_columns(TEXT, "prompt", "rendered_prompt"),
        *_columns(JSON, "prompt_token_ids"),
        *_columns(TEXT, "output_text"),
        *_columns(JSON, "output_token_ids"),
        *_columns(BLOB, "tokens"),
        *_columns(JSON, "request", "provenance"),
        sa.PrimaryKeyConstraint("request_id", name=op.f(f"pk_{table}")),
        _belongs_to_run(table),
    )
    _keep_uncompressed(table, "tokens")


def _create_timelines() -> None:
    table = "activation_run_timelines"
    op.create_table(
        table,
        *_columns(EXACT, "request_id", "sae_id"),
        *_columns(INT, "ordinal"),
        *_columns(TEXT, "hook_name"),
        *_columns(INT, "layer", "top_k"),
        *_columns(TEXT, "error", nullable=True),
        *_columns(BLOB, "feature_timeline"),
        sa.PrimaryKeyConstraint("request_id", "sae_id", name=op.f(f"pk_{table}")),
        _belongs_to_run(table),
    )
    _keep_uncompressed(table, "feature_timeline")


def _create_postings() -> None:
    table = "activation_run_postings"
    op.create_table(
        table,
        *_columns(sa.Integer(), "sae_key", "bucket"),
        *_columns(INT, "run_seq"),
        *_columns(BLOB, "postings"),
        sa.PrimaryKeyConstraint("sae_key", "bucket", "run_seq", name=op.f(f"pk_{table}")),
        _belongs_to_run(table, "run_seq"),
        _names_sae(table),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f(f"ix_{table}_run_seq"), table, ["run_seq"])
    _keep_uncompressed(table, "postings")


def _keep_uncompressed(table: str, column: str) -> None:
    """The blobs are compressed or dense already: PostgreSQL need not try again."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")
