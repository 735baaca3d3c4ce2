"""The tables of the registry: models, SAEs, preflights."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# The types as they were at this revision: db.columns may change, history may not.
TEXT = sa.Text()
EXACT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INT = sa.BigInteger()
TIME = sa.TIMESTAMP(timezone=True).with_variant(sa.BigInteger(), "sqlite")
JSON = sa.JSON()

SOURCES = ("huggingface", "local", "trained", "catalogue")
VERDICTS = ("good", "suspicious", "broken")


def upgrade() -> None:
    """Create the tables."""
    _create_models()
    _create_saes()
    _create_preflights()


def downgrade() -> None:
    """Drop the tables: what was deleted appears again, and what was measured is lost."""
    for name in ("sae_preflights", "saes", "models"):
        op.drop_table(name)


def _columns(kind: Any, *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    allowed = ", ".join(map(repr, values))
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=op.f(f"ck_{table}_{column}"))


def _create_models() -> None:
    op.create_table(
        "models",
        *_columns(EXACT, "model_id"),
        *_columns(TEXT, "source"),
        *_columns(TEXT, "repo_id", "repo_revision", nullable=True),
        *_columns(TEXT, "family"),
        *_columns(INT, "n_layers", "d_model", "n_ctx", "n_vocab"),
        *_columns(INT, "n_params", nullable=True),
        *_columns(TEXT, "dtype"),
        *_columns(sa.Boolean(), "has_chat_template"),
        *_columns(TEXT, "local_path"),
        *_columns(INT, "size_bytes"),
        *_columns(TEXT, "sha256", nullable=True),
        *_columns(TIME, "created_at", "updated_at"),
        *_columns(TIME, "deleted_at", nullable=True),
        _one_of("models", "source", SOURCES),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_models")),
    )


def _create_saes() -> None:
    places = ("repo_id", "repo_revision", "repo_path", "release", "catalogue_id", "neuronpedia_id")
    op.create_table(
        "saes",
        *_columns(EXACT, "sae_id"),
        *_columns(TEXT, "source"),
        *_columns(EXACT, "model_id"),
        *_columns(TEXT, "trained_on", "hook_name"),
        *_columns(INT, "layer", "d_in", "d_sae"),
        *_columns(TEXT, "architecture", "format"),
        *_columns(TEXT, *places, nullable=True),
        *_columns(TEXT, "local_path"),
        *_columns(INT, "size_bytes"),
        *_columns(TEXT, "sha256", nullable=True),
        *_columns(JSON, "published"),
        *_columns(TIME, "created_at", "updated_at"),
        *_columns(TIME, "deleted_at", nullable=True),
        _one_of("saes", "source", SOURCES),
        sa.PrimaryKeyConstraint("sae_id", name=op.f("pk_saes")),
    )
    op.create_index(op.f("ix_saes_model_id"), "saes", ["model_id"])


def _create_preflights() -> None:
    table = "sae_preflights"
    op.create_table(
        table,
        *_columns(EXACT, "preflight_id", "sae_id", "model_id"),
        *_columns(TIME, "created_at"),
        *_columns(TEXT, "verdict", "sae_revision", "model_revision"),
        *_columns(sa.Double(), "duration_s"),
        *_columns(JSON, "findings", "metrics", "published", "conditions", "curves"),
        _one_of(table, "verdict", VERDICTS),
        sa.PrimaryKeyConstraint("preflight_id", name=op.f(f"pk_{table}")),
        sa.ForeignKeyConstraint(
            ["sae_id"], ["saes.sae_id"], name=op.f(f"fk_{table}_sae_id"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f(f"ix_{table}_recent"), table, ["sae_id", "created_at", "preflight_id"])
