"""What all tables share: the names of constraints, and the column type of each Python type."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, MetaData, Table
from sqlalchemy.orm import DeclarativeBase

from db.columns import Blob, Int, Json, SafeText, UtcDateTime


class Base(DeclarativeBase):
    """Every constraint has a name that SQLite's table rebuild (Alembic batch mode) can refer to."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        str: SafeText(),
        int: Int(),
        bool: Boolean(),
        datetime: UtcDateTime(),
        bytes: Blob(),
        list[Any]: Json,
        dict[str, Any]: Json,
    }


def table(model: type[Base]) -> Table:
    """The table of `model`, for statements that need no mapped objects."""
    assert isinstance(model.__table__, Table)
    return model.__table__
