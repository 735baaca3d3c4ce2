"""The database locked, full, away or gone: a typed error, nothing half written, then it works."""

from __future__ import annotations

import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text, update

from db import schema
from db.engine import make_engine
from db.errors import DatabaseFull, DatabaseUnavailable
from db.models import RunIndex, table
from db.records import FiredFeatures
from db.runs import RunRepository
from db.unit_of_work import UnitOfWork
from tests.databases import PostgresServer
from tests.integration.db.samples import Runs, fired, index_record, outcome, preview_record, store

WRITERS, ROUNDS = 6, 25


def test_writers_that_read_first_wait_for_each_other(uow: UnitOfWork) -> None:
    """On SQLite a transaction that begins by reading would be refused at once."""
    store(Runs(uow), "run", prompt_tokens=0)
    count = select(RunIndex.prompt_tokens).where(RunIndex.request_id == "run")
    barrier = threading.Barrier(WRITERS)

    def add(_writer: int) -> None:
        barrier.wait()
        for _ in range(ROUNDS):
            with uow.write() as session:
                known = session.scalar(count.with_for_update())
                session.execute(update(table(RunIndex)).values(prompt_tokens=known + 1))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(add, range(WRITERS)))
    assert Runs(uow).get("run").index.prompt_tokens == WRITERS * ROUNDS


def test_an_error_inside_a_block_keeps_nothing_of_it(uow: UnitOfWork) -> None:
    with pytest.raises(KeyError), uow.write() as session:
        RunRepository(session).insert(index_record(), preview_record())
        raise KeyError
    assert Runs(uow).get("run-1") is None


def test_readers_go_on_while_one_writes(uow: UnitOfWork) -> None:
    store(Runs(uow), "run")
    with uow.write() as session:
        RunRepository(session).set_notes("run", "unfinished")
        assert Runs(uow).get("run").index.notes == ""
    assert Runs(uow).get("run").index.notes == "unfinished"


def test_a_reading_block_sees_one_moment(uow: UnitOfWork) -> None:
    store(Runs(uow), "run")
    with uow.read() as session:
        repository = RunRepository(session)
        before = repository.get("run")
        Runs(uow).set_notes("run", "meanwhile")
        assert repository.get("run") == before


def test_a_reading_block_cannot_write_on_postgres(postgres_engine: Engine) -> None:
    uow = UnitOfWork(postgres_engine)
    store(Runs(uow), "run")
    with pytest.raises(DatabaseUnavailable, match="read-only"), uow.read() as session:
        RunRepository(session).set_notes("run", "x")


def test_sqlite_locked_for_too_long_is_unavailable(sqlite_engine: Engine) -> None:
    impatient = make_engine(str(sqlite_engine.url))
    event.listen(impatient, "connect", lambda c, _: c.execute("PRAGMA busy_timeout = 50"))
    runs = Runs(UnitOfWork(impatient))
    with sqlite_engine.execution_options(writes=True).begin():
        with pytest.raises(DatabaseUnavailable, match="locked"):
            runs.insert(index_record(), preview_record())
        assert runs.get("run-1") is None  # reading goes on
    runs.insert(index_record(), preview_record())
    impatient.dispose()


def test_a_full_disk_keeps_nothing_of_the_run_and_recovers(sqlite_url: str) -> None:
    pages: dict[str, int] = {}

    def limit(connection: Any, _record: object) -> None:
        if pages:
            connection.execute(f"PRAGMA max_page_count = {pages['most']}").close()

    engine = make_engine(sqlite_url)
    schema.upgrade(engine)
    runs = Runs(UnitOfWork(engine))
    store(runs, "run")
    runs.claim("run", "me")
    before = runs.get("run", with_preview=True, with_timelines=True)
    with engine.connect() as connection:
        pages["most"] = connection.scalar(text("PRAGMA page_count")) + 8
    engine.dispose()
    event.listen(engine, "connect", limit)
    with pytest.raises(DatabaseFull, match="full"):
        runs.finish("run", "me", _large_outcome())
    assert runs.get("run", with_timelines=True).timelines == ()
    assert runs.get("run").index == before.index
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
        assert connection.scalar(text("SELECT count(*) FROM activation_run_postings")) == 0

    pages["most"] = 2**30  # space again
    engine.dispose()
    assert runs.finish("run", "me", _large_outcome())
    assert runs.get("run").index.status == "ok"
    engine.dispose()


def _large_outcome() -> Any:
    features: FiredFeatures = fired("sae-a", {i: float(i % 97) for i in range(20_000)})
    return outcome(fired=(features,))


def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "folder.sqlite").mkdir()
    engine = make_engine(f"sqlite:///{tmp_path / 'folder.sqlite'}")
    with pytest.raises(DatabaseUnavailable, match="open"):
        schema.ensure_current(engine)


def test_a_file_that_is_no_database_is_unavailable_and_untouched(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, " * 100)
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        schema.ensure_current(make_engine(f"sqlite:///{file}"))
    assert file.read_text() == "not a database, " * 100


def test_sqlite_in_memory_is_refused() -> None:
    for url in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(ValueError, match="name a file"):
            make_engine(url)


def test_postgres_stopped_within_a_transaction_is_unavailable_then_works_again(
    postgres_engine: Engine, postgres_server: PostgresServer
) -> None:
    uow = UnitOfWork(postgres_engine)
    runs = Runs(uow)
    store(runs, "run")
    runs.claim("run", "me")
    with pytest.raises(DatabaseUnavailable), uow.write() as session:
        RunRepository(session).set_notes("run", "never kept")
        postgres_server.stop("immediate")
        RunRepository(session).finish("run", "me", outcome())
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            runs.get("run")
    with pytest.raises(DatabaseUnavailable):
        schema.current(postgres_engine)

    postgres_server.start()
    index = runs.get("run").index  # the first query, over a pool of dead connections
    assert (index.status, index.notes) == ("running", "")
    assert runs.finish("run", "me", outcome())
    assert len(runs.get("run", with_timelines=True).timelines) == 2


def test_postgres_stopped_before_the_commit_is_unavailable(
    postgres_engine: Engine, postgres_server: PostgresServer
) -> None:
    uow = UnitOfWork(postgres_engine)
    store(Runs(uow), "run")
    with pytest.raises(DatabaseUnavailable), uow.write() as session:
        RunRepository(session).set_notes("run", "never kept")
        postgres_server.stop("immediate")
    postgres_server.start()
    assert Runs(uow).get("run").index.notes == ""


def test_postgres_restarted_between_two_queries_is_not_noticed(
    postgres_engine: Engine, postgres_server: PostgresServer
) -> None:
    runs = Runs(UnitOfWork(postgres_engine))
    store(runs, "run")
    postgres_server.stop("fast")
    postgres_server.start()
    assert runs.get("run").index.status == "queued"


def test_postgres_cancels_what_takes_too_long(postgres_engine: Engine) -> None:
    uow = UnitOfWork(postgres_engine)
    with pytest.raises(DatabaseUnavailable, match="timeout"), uow.write() as session:
        session.execute(text("SET LOCAL statement_timeout = '20ms'"))
        session.execute(text("SELECT pg_sleep(5)"))
    with uow.read() as session:
        limits = {
            name: session.scalar(text(f"SHOW {name}"))
            for name in ("statement_timeout", "lock_timeout", "application_name")
        }
    assert limits == {
        "statement_timeout": "30s",
        "lock_timeout": "5s",
        "application_name": "actiscope",
    }


def test_an_address_where_nobody_listens_is_unavailable() -> None:
    engine = make_engine("postgresql+psycopg://u@127.0.0.1:1/x")
    with pytest.raises(DatabaseUnavailable, match="refused"):
        schema.current(engine)


def test_errors_do_not_show_what_users_wrote(runs: Runs) -> None:
    with pytest.raises(ValueError, match="status") as caught:
        runs.insert(index_record(status="done"), preview_record("a secret prompt"))
    shown = "".join(traceback.format_exception(caught.value))
    assert "a secret prompt" not in shown.replace('preview_record("a secret prompt")', "")


def test_connections_are_given_back(uow: UnitOfWork, engine: Engine) -> None:
    runs = Runs(uow)
    for i in range(50):
        store(runs, f"run-{i}")
        with pytest.raises(ValueError, match="int"):
            runs.insert(index_record(prompt_tokens=True), preview_record())
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
