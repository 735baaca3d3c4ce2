"""The registry's rows: what is kept, what folders may change, and what is counted."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from db import registry, schema
from db.registry_records import ModelRecord, SaeRecord
from services.database import Database
from services.errors import NotFound
from services.registry.store import RegistryStore
from services.types import Finding, PreflightReport, Verdict
from tests.integration.db.samples import Runs, outcome, store

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
    assert latest["release/l12"] == report(3)  # the fourth measured it with another model
    assert latest["other"].metrics == {"l0": None, "mse": None}


def test_a_report_needs_its_sae_and_goes_with_it(kept: RegistryStore) -> None:
    with pytest.raises(NotFound, match="not registered"):
        kept.keep_preflight(report(1))
    kept.sync([], [sae()])
    kept.keep_preflight(report(1))
    kept.forget("saes", "release/l12")
    assert kept.history("release/l12") == () and kept.rows().saes == {}


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
    monkeypatch.setattr(registry, "COUNTED_MOST", 3)
    assert kept.usage().models == {used.model_id: 3}


def test_runs_under_way_are_named(kept: RegistryStore, runs: Runs) -> None:
    store(runs, "done", outcome())
    store(runs, "waiting")
    used = runs.get("waiting").index
    assert kept.active("models", used.model_id) == ("waiting",)
    assert kept.active("saes", used.sae_ids[0]) == ("waiting",)
    assert kept.active("saes", "nope") == ()


def test_two_processes_may_write_the_same_at_once(kept: RegistryStore) -> None:
    def sync() -> None:
        for _ in range(5):
            kept.sync([model()], [sae(f"s{i}") for i in range(20)])

    threads = [threading.Thread(target=sync) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept.rows().saes) == 20


def test_a_database_of_the_first_revision_is_upgraded_with_its_runs(
    engine: Engine, runs: Runs, kept: RegistryStore
) -> None:
    kept.sync([model()], [sae()])
    kept.keep_preflight(report(1))
    store(runs, "run", outcome())
    schema.downgrade(engine, "0001")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM activation_run_index")) == 1
    schema.upgrade(engine)
    assert kept.rows().saes == {} and runs.get("run") is not None
    kept.sync([model()], [sae()])
    assert set(kept.rows().saes) == {"release/l12"}
