"""Migrations: up, down, with data, by several processes; and the same schema as the models'."""

from __future__ import annotations

import multiprocessing
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, Text, make_url, text

from db import schema
from db.engine import make_engine
from db.errors import SchemaMismatch
from db.models import Base
from db.unit_of_work import UnitOfWork
from tests.integration.db.samples import Runs, outcome, store


def scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(
        Config(
            attributes={},
            config_args={"script_location": str(Path(schema.__file__).parent / "migrations")},
        )
    )


def test_there_is_one_head_and_the_constant_names_it() -> None:
    assert scripts().get_heads() == [schema.head()]


def test_a_new_database_has_no_revision_and_then_the_head(database_url: str) -> None:
    engine = make_engine(database_url)
    assert schema.current(engine) is None
    schema.ensure_current(engine)
    assert schema.current(engine) == schema.head()
    schema.ensure_current(engine)
    engine.dispose()


def test_up_down_up_step_by_step_with_runs(engine: Engine) -> None:
    runs = Runs(UnitOfWork(engine))
    store(runs, "run", outcome())
    revisions = [r.revision for r in scripts().walk_revisions()]
    for down in [*revisions[1:], "base"]:
        schema.downgrade(engine, down)
        assert schema.current(engine) == (None if down == "base" else down)
    assert tables(engine) <= {"alembic_version"}
    for up in revisions[::-1]:
        schema.upgrade(engine, up)
        assert schema.current(engine) == up
    assert runs.get("run") is None
    store(runs, "run", outcome())
    assert len(runs.page(10)) == 1


def tables(engine: Engine) -> set[str]:
    return set(_definitions(engine)) if engine.dialect.name == "sqlite" else _pg_tables(engine)


def _pg_tables(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        names = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
        return set(names.scalars())


def test_alembic_finds_no_difference_to_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


@pytest.fixture
def created_engine(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Any:
    """A database whose tables were created from the models, without migrations."""
    if engine.dialect.name == "sqlite":
        url = f"sqlite:///{tmp_path / 'created.sqlite'}"
    else:
        url = request.getfixturevalue("postgres_server").create_database()
    created = make_engine(url)
    Base.metadata.create_all(created)
    yield created
    created.dispose()


def test_the_migrated_schema_is_the_created_one(engine: Engine, created_engine: Engine) -> None:
    """Also what alembic does not compare: checks, defaults, storage, collations."""
    definitions = _definitions if engine.dialect.name == "sqlite" else _pg_definitions
    migrated, created = definitions(engine), definitions(created_engine)
    assert {k: v for k, v in migrated.items() if "alembic" not in k} == created
    assert len(created) >= 15


def _definitions(engine: Engine) -> dict[str, Any]:
    """Each table's and index's parts, in no order."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        ).all()
    return {name: sorted(re.split(r",\s+(?![^(]*\))|\(\s|\s\)", sql)) for name, sql in rows}


_PG_DEFINITIONS = """
SELECT c.relname || '.' || a.attname AS name,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage,
                 a.attidentity, pg_get_expr(d.adbin, d.adrelid), l.collname) AS definition
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
UNION ALL
SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
"""


def _pg_definitions(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        return dict(connection.execute(text(_PG_DEFINITIONS)).tuples().all())


def test_a_current_database_is_opened_without_alembic(sqlite_engine: Engine) -> None:
    program = (
        "import sys; from db import schema; from db.engine import make_engine;"
        f"schema.ensure_current(make_engine({str(sqlite_engine.url)!r}));"
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def _ensure_current(url: str, gate: Any) -> None:
    gate.wait()
    schema.ensure_current(make_engine(url))


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(3)
    processes = [
        context.Process(target=_ensure_current, args=(database_url, gate)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [p.exitcode for p in processes] == [0, 0, 0]
    engine = make_engine(database_url)
    assert schema.current(engine) == schema.head()
    engine.dispose()


def _pretend_revision(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})


def test_a_database_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    store(Runs(UnitOfWork(engine)), "run")
    _pretend_revision(engine, "9999")
    with pytest.raises(SchemaMismatch, match=r"9999.*newer"):
        schema.ensure_current(engine)
    assert schema.current(engine) == "9999"
    assert Runs(UnitOfWork(engine)).get("run") is not None


def test_a_backup_is_a_complete_database(sqlite_engine: Engine) -> None:
    store(Runs(UnitOfWork(sqlite_engine)), "run", outcome())
    backup = schema.back_up(sqlite_engine, schema.head())
    assert backup is not None
    assert backup.parent == Path(str(sqlite_engine.url.database)).parent
    restored = make_engine(f"sqlite:///{backup}")
    assert schema.current(restored) == schema.head()
    stored = Runs(UnitOfWork(restored)).get("run", with_timelines=True)
    assert len(stored.timelines) == 2
    restored.dispose()


def test_a_downgrade_leaves_a_copy_of_what_it_removes(sqlite_engine: Engine) -> None:
    store(Runs(UnitOfWork(sqlite_engine)), "run", outcome())
    folder = Path(str(sqlite_engine.url.database)).parent
    schema.downgrade(sqlite_engine, "base")
    [backup] = folder.glob("*.backup")
    restored = make_engine(f"sqlite:///{backup}")
    assert len(Runs(UnitOfWork(restored)).get("run", with_timelines=True).timelines) == 2
    restored.dispose()
    schema.downgrade(sqlite_engine, "base")  # nothing is left to be copied
    assert list(folder.glob("*.backup")) == [backup]


def test_a_look_changes_and_makes_nothing(database_url: str) -> None:
    url = make_url(database_url)
    assert schema.peek(database_url) is None
    if url.get_backend_name() == "sqlite":
        assert not Path(str(url.database)).exists()
    engine = make_engine(database_url)
    assert schema.current(engine) is None
    schema.upgrade(engine)
    assert schema.peek(database_url) == schema.head()
    _pretend_revision(engine, "9999")
    with pytest.raises(SchemaMismatch, match="newer"):
        schema.peek(database_url)
    engine.dispose()


def test_a_failed_migration_leaves_the_database_as_it_was(engine: Engine) -> None:
    """A table in the way stops the migration in its middle."""
    schema.downgrade(engine, "base")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE activation_run_postings (x INTEGER)"))
    with pytest.raises(Exception, match="exists"):
        schema.upgrade(engine)
    assert schema.current(engine) is None
    assert tables(engine) - {"alembic_version"} == {"activation_run_postings"}


def test_foreign_keys_hold_after_a_migration(engine: Engine) -> None:
    schema.downgrade(engine, "base")
    schema.upgrade(engine)
    runs = Runs(UnitOfWork(engine))
    store(runs, "run", outcome())
    assert runs.delete("run")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM activation_run_timelines")) == 0
    if engine.dialect.name == "sqlite":
        file = make_url(str(engine.url)).database
        with closing(sqlite3.connect(str(file))) as connection:
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_rebuilding_a_table_keeps_what_refers_to_it(sqlite_engine: Engine) -> None:
    """SQLite changes a column by making the table anew and dropping the old one."""
    runs = Runs(UnitOfWork(sqlite_engine))
    store(runs, "run", outcome())
    with schema.migration_transaction(sqlite_engine) as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("activation_run_index", recreate="always") as batch:
            batch.add_column(Column("remarks", Text))
    assert len(runs.get("run", with_timelines=True).timelines) == 2
    assert runs.delete("run")  # and foreign keys are on again
    with sqlite_engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM activation_run_timelines")) == 0


def test_a_path_with_percent_signs_and_spaces_works(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'a %s b' / 'deep' / 'x.sqlite'}")
    schema.ensure_current(engine)
    assert schema.current(engine) == schema.head()
    engine.dispose()
