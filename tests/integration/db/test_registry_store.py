"""The registry's rows: what is kept, what folders may change, and what is counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, inspect

from db import schema
from db.engine import make_engine
from db.registry_records import ModelRecord, SaeRecord
from db.unit_of_work import UnitOfWork
from services.database import Database
from services.errors import NotFound
from services.registry import store as store_module
from services.registry.store import RegistryStore
from services.types import Finding, PreflightReport, Verdict
from tests.integration.db.samples import Runs, last_statement, outcome, store

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def model(model_id: str = "owner/model", **changes: Any) -> ModelRecord:
    made = ModelRecord(
        model_id=model_id,
        source="huggingface",
        family="gemma2",
        n_layers=26,
        d_model=2304,
        n_ctx=8192,
        n_vocab=256_000,
        n_params=2_614_341_888,
        dtype="BF16",
        has_chat_template=True,
        local_path="/data/models/owner/model",
        size_bytes=5_228_717_512,
        repo_id="owner/model",
        repo_revision="c" * 40,
        sha256=None,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **changes)


def sae(sae_id: str = "release/l12", **changes: Any) -> SaeRecord:
    made = SaeRecord(
        sae_id=sae_id,
        source="catalogue",
        model_id="owner/model",
        trained_on="gemma-2-2b",
        hook_name="blocks.12.hook_resid_post",
        layer=12,
        d_in=2304,
        d_sae=16_384,
        architecture="jumprelu",
        format="gemma_scope",
        local_path="/data/saes/release/l12",
        size_bytes=302_000_000,
        sha256="a" * 64,
        published={"l0": 82.0},
        release="release",
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **changes)


def report(number: int, sae_id: str = "release/l12", **changes: Any) -> PreflightReport:
    made = PreflightReport(
        preflight_id=f"p{number}",
        sae_id=sae_id,
        model_id="owner/model",
        created_at=NOW + timedelta(seconds=number),
        verdict=Verdict.SUSPICIOUS,
        findings=(Finding("l0_differs", Verdict.SUSPICIOUS, "L0 is 9, not 82", "look again"),),
        metrics={"l0": 9.25, "expected_norm": None},
        published={"l0": 82.0},
        conditions={"n_tokens": 2048, "dtype": "float32"},
        curves={"l0_histogram": (1.0, 2.0)},
        sae_revision="a" * 64,
        model_revision="c" * 40,
        duration_s=1.5,
    )
    return replace(made, **changes)


@pytest.fixture
def kept(engine: Engine) -> Iterator[RegistryStore]:
    yield RegistryStore(Database(engine))


def test_rows_come_back_as_they_were_written(kept: RegistryStore) -> None:
    kept.sync([model()], [sae()])
    assert kept.rows().models == {"owner/model": model()}
    assert kept.rows().saes == {"release/l12": sae()}


def test_a_folder_that_changed_changes_its_row_but_not_its_dates(kept: RegistryStore) -> None:
    kept.sync([model()], [sae()])
    kept.set_deleted("saes", "release/l12", NOW)
    later = NOW + timedelta(days=1)
    kept.sync([model(n_params=1, created_at=later)], [sae(layer=3, created_at=later)])
    found = kept.rows()
    assert found.models["owner/model"] == model(n_params=1)
    assert found.saes["release/l12"] == sae(layer=3, deleted_at=NOW)
    kept.set_deleted("saes", "release/l12", None)
    assert kept.rows().saes["release/l12"].deleted_at is None


def test_what_is_not_there_cannot_be_deleted(kept: RegistryStore) -> None:
    with pytest.raises(NotFound, match="none of the registered saes"):
        kept.set_deleted("saes", "nope", NOW)
    kept.forget("saes", "nope")


def test_reports_come_back_and_the_newest_one_counts(kept: RegistryStore) -> None:
    kept.sync([model()], [sae(), sae("other")])
    for number in (1, 3, 2):
        kept.keep_preflight(report(number))
    kept.keep_preflight(report(4, model_id="another/model"))
    kept.keep_preflight(report(5, "other", metrics={"l0": math.nan, "mse": math.inf}))
    assert kept.history("release/l12") == (
        report(4, model_id="another/model"), report(3), report(2), report(1),
    )  # fmt: skip
    assert kept.history("release/l12", limit=1)[0].preflight_id == "p4"
    latest = kept.latest()
    newest = report(3)  # the fourth measured it with another model
    assert latest["release/l12"] == replace(newest, curves={})
    assert kept.preflight("p3") == newest and kept.preflight("p9") is None
    assert latest["other"].metrics == {"l0": None, "mse": None}


def test_a_report_needs_its_sae_and_goes_with_it(kept: RegistryStore) -> None:
    with pytest.raises(NotFound, match="not registered"):
        kept.keep_preflight(report(1))
    kept.sync([], [sae()])
    kept.keep_preflight(report(1))
    kept.forget("saes", "release/l12")
    assert kept.history("release/l12") == () and kept.rows().saes == {}


def test_a_report_of_an_earlier_model_waits_for_it(kept: RegistryStore) -> None:
    """The newest report counts of those with the model that the SAE is for now."""
    kept.sync([], [sae()])
    kept.keep_preflight(report(1, model_id="another/model"))
    kept.keep_preflight(report(2))
    kept.keep_preflight(report(3))
    kept.sync([], [sae(model_id="another/model")])
    assert kept.latest()["release/l12"].preflight_id == "p1"
    kept.sync([], [sae(model_id="a/third")])
    assert kept.latest() == {}
    assert len(kept.history("release/l12")) == 3


def test_reports_of_one_moment_have_an_order(kept: RegistryStore) -> None:
    kept.sync([], [sae()])
    for name in ("b", "c", "a"):
        kept.keep_preflight(report(1, preflight_id=name))
    assert [r.preflight_id for r in kept.history("release/l12")] == ["c", "b", "a"]
    assert kept.latest()["release/l12"].preflight_id == "c"


def test_odd_values_of_files_are_kept_as_both_databases_can(kept: RegistryStore) -> None:
    """What a cfg.json or a folder's name may hold must not stop the rows of all others."""
    odd = sae(
        hook_name="a\x00b",
        local_path="/data/\udcff",
        layer=10**30,
        published={"l0": math.nan, "a\x00": [1.5, math.inf, {"b\ud800": -math.inf}]},
    )
    kept.sync([model(n_ctx=10**30, family="\x00")], [sae("plain"), odd])
    found = kept.rows()
    assert found.saes["plain"] == sae("plain")
    assert found.saes["release/l12"] == sae(
        hook_name="a\u2400b",
        local_path="/data/\ufffd",
        layer=2**63 - 1,
        published={"l0": None, "a\u2400": [1.5, None, {"b\ufffd": None}]},
    )
    assert found.models["owner/model"] == model(n_ctx=2**63 - 1, family="\u2400")
    said = Finding("no_hook", Verdict.BROKEN, "a\x00 is not there", "\ud800")
    kept.keep_preflight(report(1, findings=(said,), conditions={"hook": "\x00", "n": (1, 2)}))
    [stored] = kept.history("release/l12")
    assert stored.findings == (
        Finding("no_hook", Verdict.BROKEN, "a\u2400 is not there", "\ufffd"),
    )
    assert stored.conditions == {"hook": "\u2400", "n": [1, 2]}


def test_forgetting_one_leaves_the_others(kept: RegistryStore) -> None:
    kept.sync([model(), model("m2")], [sae(), sae("s2")])
    kept.keep_preflight(report(1))
    kept.keep_preflight(report(2, "s2"))
    kept.forget("models", "owner/model")
    kept.forget("saes", "s2")
    found = kept.rows()
    assert set(found.models) == {"m2"} and set(found.saes) == {"release/l12"}
    assert set(kept.latest()) == {"release/l12"}


def test_nothing_of_a_failed_sync_is_kept(kept: RegistryStore) -> None:
    with pytest.raises(ValueError, match="cannot be stored"):
        kept.sync([model()], [sae(), sae("other", source="somewhere")])
    assert kept.rows().models == {} and kept.rows().saes == {}
    with pytest.raises(ValueError, match=r"NOT NULL|null value"):
        kept.sync([model(family=None)], [])


def test_wrong_words_are_refused(kept: RegistryStore) -> None:
    with pytest.raises(ValueError, match="cannot be stored"):
        kept.sync([model(source="somewhere")], [])
    assert kept.rows().models == {}


def test_runs_are_counted_up_to_a_limit(
    kept: RegistryStore, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        store(runs, f"run{number}", outcome())
    used = runs.get("run0").index
    kept.sync([model(used.model_id), model()], [sae(used.sae_ids[0])])
    usage = kept.usage()
    assert usage.models == {used.model_id: 4}
    assert usage.saes == dict.fromkeys(used.sae_ids, 4)
    monkeypatch.setattr(store_module, "RUNS_COUNTED", 3)
    assert kept.usage().models == {used.model_id: 3}


def test_runs_under_way_are_named(kept: RegistryStore, runs: Runs) -> None:
    store(runs, "done", outcome())
    store(runs, "waiting")
    used = runs.get("waiting").index
    store(runs, "earlier", created_at=used.created_at - timedelta(seconds=1))
    assert kept.active("models", used.model_id) == ("earlier", "waiting")
    assert kept.active("models", "nope") == ()
    assert kept.active("saes", used.sae_ids[0]) == ("earlier", "waiting")
    assert kept.active("saes", "nope") == ()


_RUNS, _USED = "activation_run_index", "activation_run_saes"
_PLANS: dict[str, tuple[Callable[[RegistryStore], object], str, str]] = {
    "model": (lambda s: s.active("models", "m"), _RUNS, f"ix_{_RUNS}_model_id_status_recent"),
    "SAE": (lambda s: s.active("saes", "s"), _USED, f"ix_{_USED}_sae_key_status_recent"),
    "counts": (lambda s: s.usage(), _USED, f"ix_{_USED}_sae_key"),
    "newest": (lambda s: s.latest(), "sae_preflights", "ix_sae_preflights_recent"),
    "history": (lambda s: s.history("s"), "sae_preflights", "ix_sae_preflights_recent"),
}


@pytest.mark.parametrize("name", _PLANS)
def test_among_a_million_runs_only_those_asked_for_are_read(
    sqlite_engine: Engine, name: str
) -> None:
    action, table, index = _PLANS[name]
    kept = RegistryStore(Database(sqlite_engine))
    statement = last_statement(sqlite_engine, lambda: action(kept))
    with sqlite_engine.connect() as connection:
        plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement[0], statement[1])
        steps = [row[-1] for row in plan]
    assert any(f"INDEX {index}" in step for step in steps), steps
    assert not any(step.startswith(f"SCAN {table}") for step in steps), steps


def test_several_may_write_the_same_at_once_in_any_order(kept: RegistryStore) -> None:
    def sync(number: int) -> None:
        for _ in range(10):
            saes = [sae(f"s{i}", layer=number) for i in range(20)]
            kept.sync([model(n_params=number)], saes[:: 1 if number % 2 else -1])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(sync, range(4)))  # raises what a thread raised
    found = kept.rows()
    assert len(found.saes) == 20
    # Each sync is one transaction: what is there is of one of them.
    layers = {record.layer for record in found.saes.values()}
    assert layers == {found.models["owner/model"].n_params}


def test_a_report_that_meets_a_removal_is_kept_or_refused(kept: RegistryStore) -> None:
    """Never half of it, and never the database's own complaint about a missing row."""

    def measure(number: int) -> bool:
        try:
            kept.keep_preflight(report(number))
        except NotFound:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for number in range(30):
            kept.sync([], [sae()])
            written = pool.submit(measure, number)
            pool.submit(kept.forget, "saes", "release/l12").result()
            assert written.result() in (True, False)
            assert kept.history("release/l12") == ()


def test_a_database_of_the_first_revision_is_upgraded_and_back_with_its_runs(
    database_url: str,
) -> None:
    engine = make_engine(database_url)
    schema.upgrade(engine, "0001")
    runs, kept = Runs(UnitOfWork(engine)), RegistryStore(Database(engine))
    before = store(runs, "run", outcome())
    schema.ensure_current(engine)
    for _ in range(2):
        assert runs.get("run").index == before
        assert kept.rows().saes == {} and kept.history("release/l12") == ()
        kept.sync([model()], [sae()])
        kept.keep_preflight(report(1))
        schema.downgrade(engine, "0001")
        assert not {"models", "saes", "sae_preflights"} & set(inspect(engine).get_table_names())
        assert len(runs.get("run", with_timelines=True).timelines) == 2
        schema.upgrade(engine)
    kept.sync([], [sae()])
    kept.keep_preflight(report(1))
    kept.forget("saes", "release/l12")  # foreign keys work as in a new database
    assert kept.history("release/l12") == ()
    engine.dispose()
