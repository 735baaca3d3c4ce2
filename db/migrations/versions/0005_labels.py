"""What people say of features: labels and their history, saved views, probes, families."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# The types as they were at this revision: db.columns may change, history may not.
TEXT = sa.Text()
EXACT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INT = sa.BigInteger()
TIME = sa.TIMESTAMP(timezone=True).with_variant(sa.BigInteger(), "sqlite")
JSON = sa.JSON()
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts only INTEGER

SOURCES = ("human", "automatic", "imported")
TABLES = (
    "family_sets",
    "probes",
    "saved_views",
    "label_history",
    "labels",
    "label_documents",
    "label_revisions",
    "features",
)


def upgrade() -> None:
    """Create the tables."""
    _create_features()
    _create_documents()
    _create_labels()
    _create_history()
    _create_views()
    _create_probes()
    _create_families()


def downgrade() -> None:
    """Drop the tables with all that was said of features."""
    for table in TABLES:
        op.drop_table(table)


def _columns(kind: Any, *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}")
    return sa.ForeignKeyConstraint([column], [to], name=name, ondelete="CASCADE")


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _create_features() -> None:
    table = "features"
    op.create_table(
        table,
        *_columns(EXACT, "feature_key"),
        *_columns(EXACT, "training_id", "external_sae_id", nullable=True),
        *_columns(INT, "neuron_index"),
        *_columns(sa.Boolean(), "is_starred"),
        *_columns(EXACT, "chosen_label_id", nullable=True),
        *_columns(TEXT, "skip_reason", "skipped_by", nullable=True),
        *_columns(INT, "revision"),
        sa.CheckConstraint(
            "(training_id IS NOT NULL AND external_sae_id IS NULL) OR "
            "(training_id IS NULL AND external_sae_id IS NOT NULL)",
            name=op.f("ck_features_single_source"),
        ),
        sa.CheckConstraint("neuron_index >= 0", name=op.f("ck_features_neuron_index")),
        _key(table, "feature_key"),
        _refers(table, "external_sae_id", "saes.sae_id"),
        _unique(table, "external_sae_id", "neuron_index"),
    )
    _index(table, "external_sae_id", "revision")
    op.create_table(
        "label_revisions",
        *_columns(EXACT, "sae_id", "epoch"),
        *_columns(INT, "revision"),
        _key("label_revisions", "sae_id"),
        _refers("label_revisions", "sae_id", "saes.sae_id"),
    )


def _create_documents() -> None:
    table = "label_documents"
    op.create_table(
        table,
        *_columns(EXACT, "document_id", "sae_id"),
        *_columns(TEXT, "format"),
        *_columns(JSON, "layout"),
        *_columns(TIME, "created_at"),
        _key(table, "document_id"),
        _refers(table, "sae_id", "saes.sae_id"),
    )
    _index(table, "sae_id", "created_at")


def _create_labels() -> None:
    table = "labels"
    op.create_table(
        table,
        *_columns(EXACT, "label_id", "feature_key"),
        *_columns(TEXT, "text"),
        *_columns(TEXT, "category", nullable=True),
        *_columns(TEXT, "notes"),
        *_columns(sa.Double(), "confidence", nullable=True),
        *_columns(TEXT, "source"),
        *_columns(TEXT, "source_name", nullable=True),
        *_columns(TEXT, "author"),
        *_columns(TIME, "created_at", "updated_at"),
        *_columns(EXACT, "document_id", nullable=True),
        *_columns(INT, "document_row", nullable=True),
        *_columns(JSON, "extra", nullable=True),
        sa.CheckConstraint(
            f"source IN ({', '.join(map(repr, SOURCES))})", name=op.f("ck_labels_source")
        ),
        sa.CheckConstraint(
            "confidence >= 0 AND confidence <= 1", name=op.f("ck_labels_confidence")
        ),
        _key(table, "label_id"),
        _refers(table, "feature_key", "features.feature_key"),
    )
    _index(table, "feature_key")
    _index(table, "document_id")


def _create_history() -> None:
    table = "label_history"
    op.create_table(
        table,
        sa.Column("change_id", SERIAL, sa.Identity(always=False), nullable=False),
        *_columns(EXACT, "batch_id", "sae_id", "feature_key"),
        *_columns(TIME, "at"),
        *_columns(TEXT, "author", "action"),
        *_columns(JSON, "before", "after", nullable=True),
        *_columns(INT, "undoes", nullable=True),
        *_columns(EXACT, "undone_by", nullable=True),
        _key(table, "change_id"),
        _refers(table, "sae_id", "saes.sae_id"),
        _refers(table, "feature_key", "features.feature_key"),
    )
    _index(table, "batch_id")
    _index(table, "sae_id", "change_id")
    _index(table, "feature_key", "change_id")


def _create_views() -> None:
    table = "saved_views"
    op.create_table(
        table,
        *_columns(EXACT, "view_id", "sae_id"),
        *_columns(TEXT, "name"),
        *_columns(JSON, "state"),
        *_columns(TEXT, "author"),
        *_columns(TIME, "created_at"),
        _key(table, "view_id"),
        _refers(table, "sae_id", "saes.sae_id"),
        _unique(table, "sae_id", "name"),
    )


def _create_probes() -> None:
    table = "probes"
    op.create_table(
        table,
        *_columns(EXACT, "probe_id", "sae_id"),
        *_columns(INT, "feature_id"),
        *_columns(TEXT, "text"),
        *_columns(sa.Boolean(), "should_fire"),
        *_columns(sa.Double(), "measured_max", nullable=True),
        *_columns(TEXT, "measured_with", nullable=True),
        *_columns(TEXT, "author"),
        *_columns(TIME, "created_at"),
        sa.CheckConstraint("feature_id >= 0", name=op.f("ck_probes_feature_id")),
        _key(table, "probe_id"),
        _refers(table, "sae_id", "saes.sae_id"),
    )
    _index(table, "sae_id", "feature_id")


def _create_families() -> None:
    table = "family_sets"
    op.create_table(
        table,
        *_columns(EXACT, "set_id", "sae_id"),
        *_columns(TEXT, "name"),
        *_columns(JSON, "parameters"),
        *_columns(sa.LargeBinary(), "families"),
        *_columns(TEXT, "author"),
        *_columns(TIME, "created_at"),
        _key(table, "set_id"),
        _refers(table, "sae_id", "saes.sae_id"),
    )
    _index(table, "sae_id", "created_at")
    if op.get_bind().dialect.name == "postgresql":  # they are compressed already
        op.execute("ALTER TABLE family_sets ALTER COLUMN families SET STORAGE EXTERNAL")
