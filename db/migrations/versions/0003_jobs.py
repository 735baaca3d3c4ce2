"""The tables of jobs: the jobs, and the last lines of their logs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# The types as they were at this revision: db.columns may change, history may not.
TEXT = sa.Text()
EXACT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INT = sa.BigInteger()
TIME = sa.TIMESTAMP(timezone=True).with_variant(sa.BigInteger(), "sqlite")
JSON = sa.JSON()

STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")
LEVELS = ("info", "warning", "error")


def upgrade() -> None:
    """Create the tables."""
    _create_jobs()
    _create_job_indexes()
    _create_log()


def downgrade() -> None:
    """Drop the tables with all jobs; what finished jobs have made stays."""
    op.drop_table("job_log")
    op.drop_table("jobs")


def _columns(kind: Any, *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names]


def _one_of(table: str, column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    allowed = ", ".join(map(repr, values))
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=op.f(f"ck_{table}_{column}"))


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        *_columns(EXACT, "job_id", "kind"),
        *_columns(TEXT, "title", "status"),
        *_columns(INT, "priority"),
        *_columns(EXACT, "request_key", nullable=True),
        *_columns(TEXT, "fingerprint"),
        *_columns(EXACT, "parent_id", nullable=True),
        *_columns(TEXT, "owner", nullable=True),
        *_columns(INT, "attempt", "crashes", "max_attempts"),
        *_columns(TIME, "lease_until", nullable=True),
        *_columns(TEXT, "phase"),
        *_columns(INT, "progress_done"),
        *_columns(INT, "progress_total", nullable=True),
        *_columns(TEXT, "progress_unit", "progress_message"),
        *_columns(sa.Double(), "progress_per_s", nullable=True),
        *_columns(TIME, "cancel_requested_at", nullable=True),
        *_columns(TEXT, "error_code", "error_message", nullable=True),
        *_columns(TIME, "created_at", "updated_at"),
        *_columns(TIME, "started_at", "finished_at", nullable=True),
        *_columns(INT, "params_version"),
        *_columns(JSON, "params", "phases"),
        *_columns(JSON, "checkpoint", "result", nullable=True),
        *_constraints(),
    )


def _create_job_indexes() -> None:
    op.create_index(op.f("ix_jobs_waiting"), "jobs", ["status", "priority", "job_id"])
    op.create_index(op.f("ix_jobs_parent_id"), "jobs", ["parent_id"])
    for equal in ((), ("status",), ("kind",)):
        name = "_".join(("ix_jobs", *equal, "recent"))
        op.create_index(op.f(name), "jobs", [*equal, "created_at", "job_id"])


def _constraints() -> tuple[sa.Constraint, ...]:
    return (
        _one_of("jobs", "status", STATUSES),
        sa.CheckConstraint(
            "attempt >= 0 AND crashes >= 0 AND max_attempts >= 1", name=op.f("ck_jobs_attempts")
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("request_key", name=op.f("uq_jobs_request_key")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["jobs.job_id"], name=op.f("fk_jobs_parent_id"), ondelete="SET NULL"
        ),
    )


def _create_log() -> None:
    op.create_table(
        "job_log",
        *_columns(EXACT, "job_id"),
        *_columns(INT, "line_no"),
        *_columns(TIME, "at"),
        *_columns(INT, "attempt"),
        *_columns(TEXT, "level", "message"),
        _one_of("job_log", "level", LEVELS),
        sa.PrimaryKeyConstraint("job_id", "line_no", name=op.f("pk_job_log")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.job_id"], name=op.f("fk_job_log_job_id"), ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
