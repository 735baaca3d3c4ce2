"""The list of runs: every filter against a plain Python answer, every run visited once."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from db.records import ACTIVE, STATUSES, Cursor, FeatureFilter, RunFilter, RunIndexRecord
from db.runs import RunRepository
from db.unit_of_work import UnitOfWork
from tests.integration.db.samples import (
    NOW,
    Runs,
    fired,
    index_record,
    last_statement,
    outcome,
    preview_record,
)

PROMPTS = ["Ärger im Straßenverkehr", "ärger 100% sicher", "ÀÉÎ ΣΊΣΥΦΟΣ", "Iĳ ﬁne 50_000", "a\\b"]
FEATURES = (0, 7, 255, 256, 300)
POSTING_READS = "db.run_pages._POSTINGS_PER_READ"

Stored = tuple[RunIndexRecord, str, dict[str, dict[int, float]]]


def fill(uow: UnitOfWork, n: int, seed: int = 0) -> list[Stored]:
    """`n` random runs, many of them at the same microsecond."""
    rng = np.random.default_rng(seed)
    with uow.write() as session:
        repository = RunRepository(session)
        runs = [_random_run(repository, rng, int(i)) for i in rng.permutation(n)]
        index = {record.request_id: record for record in repository.page(n)}
    return [(index[request_id], prompt, features) for request_id, prompt, features in runs]


def _random_run(
    repository: RunRepository, rng: np.random.Generator, i: int
) -> tuple[str, str, dict[str, dict[int, float]]]:
    sae_ids = tuple(s for s in ("sae-a", "sae-b") if rng.random() < 0.6)
    prompt = PROMPTS[rng.integers(len(PROMPTS))]
    status = STATUSES[rng.integers(len(STATUSES))]
    index = index_record(
        f"{'aBz'[i % 3]}-{i:04}",  # orders differ between collations
        created_at=NOW + timedelta(microseconds=int(rng.integers(5))),
        model_id=f"model-{rng.integers(3)}",
        status="queued" if status == "queued" else "running",
        owner="me",
        sae_ids=sae_ids,
        sae_layers=tuple(range(len(sae_ids))),
    )
    repository.insert(index, preview_record(prompt))
    if status in ACTIVE:
        return index.request_id, prompt, {}
    features = {s: _random_features(rng) for s in sae_ids}
    postings = tuple(fired(s, f) for s, f in features.items())
    result = outcome(status, timelines=(), fired=postings)
    assert repository.finish(index.request_id, "me", result, NOW)
    return index.request_id, prompt, features


def _random_features(rng: np.random.Generator) -> dict[int, float]:
    values = rng.integers(-2, 6, len(FEATURES)) / 2
    return {f: float(v) for f, v in zip(FEATURES, values, strict=True) if rng.random() < 0.5}


def newest_first(stored: list[Stored]) -> list[RunIndexRecord]:
    return sorted((s[0] for s in stored), key=lambda r: (r.created_at, r.request_id), reverse=True)


def walk(runs: Runs, limit: int, filters: RunFilter | None = None) -> list[RunIndexRecord]:
    """All pages, one after the other."""
    found: list[RunIndexRecord] = []
    cursor: Cursor | None = None
    while page := runs.page(limit, cursor, filters):
        assert len(page) <= limit
        found += page
        cursor = (page[-1].created_at, page[-1].request_id)
    return found


def passes(stored: Stored, filters: RunFilter) -> bool:
    index, prompt, features = stored
    wanted = filters.feature
    value = features.get(wanted.sae_id, {}).get(wanted.feature_id) if wanted else None
    return (
        filters.status in (None, index.status)
        and filters.model_id in (None, index.model_id)
        and (filters.sae_id is None or filters.sae_id in index.sae_ids)
        and filters.sae_enabled in (None, bool(index.sae_ids))
        and (not filters.text or filters.text.casefold() in prompt.casefold())
        and (
            wanted is None or (value is not None and (wanted.above is None or value > wanted.above))
        )
    )


@pytest.fixture
def stored(uow: UnitOfWork) -> list[Stored]:
    return fill(uow, 100)


def test_a_walk_over_equal_times_visits_each_run_once(runs: Runs, stored: list[Stored]) -> None:
    for limit in (1, 7, 1000):
        assert walk(runs, limit) == newest_first(stored)


def test_every_combination_of_filters_gives_what_plain_python_gives(
    runs: Runs, stored: list[Stored]
) -> None:
    choices: dict[str, list[Any]] = {
        "status": [None, "ok", "running"],
        "model_id": [None, "model-1", "none such"],
        "sae_id": [None, "sae-a", "none such"],
        "sae_enabled": [None, True, False],
        "text": [None, "ÄRGER"],
        "feature": [None, FeatureFilter("sae-b", 7, 0.5)],
    }
    for values in itertools.product(*choices.values()):
        filters = RunFilter(**dict(zip(choices, values, strict=True)))
        expected = newest_first([s for s in stored if passes(s, filters)])
        assert walk(runs, 9, filters) == expected, filters


def test_text_is_found_in_either_case_of_any_alphabet(runs: Runs, stored: list[Stored]) -> None:
    for text in ("ärger", "ÄRGER", "STRASSE", "straße", "σίσυφοσ", "Ĳ FINE", "àéî"):
        found = walk(runs, 50, RunFilter(text=text))
        assert found, text
        expected = [s for s in stored if text.casefold() in s[1].casefold()]
        assert found == newest_first(expected), text


def test_wildcards_in_the_text_mean_themselves(runs: Runs, stored: list[Stored]) -> None:
    for text in ("%", "_", "\\", "0%", "0_0", "/", "100%", "r%r"):
        expected = newest_first([s for s in stored if text in s[1]])
        assert walk(runs, 50, RunFilter(text=text)) == expected, text


def test_text_is_found_however_its_accents_are_composed(runs: Runs) -> None:
    runs.insert(index_record("composed"), preview_record("caf\u00e9"))
    runs.insert(index_record("decomposed"), preview_record("cafe\u0301"))
    for text in ("CAF\u00c9", "CAFE\u0301"):
        assert len(walk(runs, 10, RunFilter(text=text))) == 2


def test_only_the_beginning_of_a_long_prompt_is_searched(runs: Runs) -> None:
    runs.insert(index_record(), preview_record("x" * 1990 + "needle" + "y" * 100_000 + "late"))
    assert walk(runs, 10, RunFilter(text="NEEDLE"))
    assert not walk(runs, 10, RunFilter(text="late"))
    assert walk(runs, 10, RunFilter(text="x" * 1990 + "needle" + "y" * 3000))


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_features_above_any_threshold_are_exact(
    runs: Runs, stored: list[Stored], data: st.DataObject
) -> None:
    """`stored` is the same for all examples: only what is asked differs."""
    feature = FeatureFilter(
        data.draw(st.sampled_from(["sae-a", "sae-b", "none such"])),
        data.draw(st.sampled_from([*FEATURES, 1, 512])),
        data.draw(st.none() | st.sampled_from([x / 4 for x in range(-8, 14)])),
    )
    limit = data.draw(st.integers(1, 200))
    expected = newest_first([s for s in stored if passes(s, RunFilter(feature=feature))])
    assert walk(runs, limit, RunFilter(feature=feature)) == expected


def test_a_feature_is_found_beyond_the_postings_read_at_once(
    runs: Runs, stored: list[Stored], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(POSTING_READS, 3)
    filters = RunFilter(feature=FeatureFilter("sae-a", 7, 0.0))
    expected = newest_first([s for s in stored if passes(s, filters)])
    assert len(expected) > 6
    assert walk(runs, 2, filters) == expected


def test_a_cursor_at_the_end_of_time_is_a_cursor(runs: Runs, stored: list[Stored]) -> None:
    for feature in (None, FeatureFilter("sae-a", 7)):
        filters = RunFilter(feature=feature)
        latest, earliest = (t.replace(tzinfo=UTC) for t in (datetime.max, datetime.min))
        assert runs.page(200, (latest, "x"), filters) == walk(runs, 200, filters) != []
        assert runs.page(200, (earliest, "x"), filters) == []


def test_a_float32_value_is_compared_as_it_was_given(runs: Runs) -> None:
    value = float(np.float32(0.1))
    runs.insert(index_record(), preview_record())
    runs.claim("run-1", "me")
    runs.finish("run-1", "me", outcome(timelines=(), fired=(fired("sae-a", {7: value}),)))

    def found(above: float) -> bool:
        return bool(runs.page(1, None, RunFilter(feature=FeatureFilter("sae-a", 7, above))))

    assert found(np.nextafter(value, 0))
    assert not found(value)


def test_runs_of_one_microsecond_are_more_than_the_numbers_it_has(uow: UnitOfWork) -> None:
    with uow.write() as session:
        repository = RunRepository(session)
        for i in range(200):
            repository.insert(index_record(f"run-{i}"), preview_record())
    assert len(walk(Runs(uow), 50)) == 200


PLANS: dict[str, tuple[RunFilter, str]] = {
    "all": (RunFilter(), "ix_activation_run_index_recent"),
    "status": (RunFilter(status="ok"), "ix_activation_run_index_status_recent"),
    "model": (RunFilter(model_id="m"), "ix_activation_run_index_model_id_recent"),
    "model, status": (
        RunFilter(model_id="m", status="ok"),
        "ix_activation_run_index_model_id_status_recent",
    ),
    "no features": (RunFilter(sae_enabled=False), "ix_activation_run_index_sae_enabled_recent"),
    "sae": (RunFilter(sae_id="sae-a"), "ix_activation_run_saes_sae_key_recent"),
    "sae, status": (
        RunFilter(sae_id="sae-a", status="ok"),
        "ix_activation_run_saes_sae_key_status_recent",
    ),
    "sae, model": (
        RunFilter(sae_id="sae-a", model_id="m"),
        "ix_activation_run_saes_sae_key_model_id_recent",
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_page_is_read_from_an_index_without_sorting(sqlite_engine: Engine, name: str) -> None:
    filters, index = PLANS[name]
    uow = UnitOfWork(sqlite_engine)
    fill(uow, 10)
    statement = last_statement(sqlite_engine, lambda: Runs(uow).page(50, (NOW, "x"), filters))
    with sqlite_engine.connect() as connection:
        plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement[0], statement[1])
        steps = [row[-1] for row in plan]
    assert any(f"USING INDEX {index} " in step or f"INDEX {index} " in step for step in steps)
    assert not any("TEMP B-TREE" in step or step.startswith("SCAN") for step in steps), steps


def test_the_list_does_not_read_the_long_columns(sqlite_engine: Engine) -> None:
    uow = UnitOfWork(sqlite_engine)
    statement, _ = last_statement(sqlite_engine, lambda: Runs(uow).page(50))
    assert "prompt_search" not in statement


def test_the_index_row_follows_each_change_of_status_among_its_saes(runs: Runs) -> None:
    for i, status in enumerate(STATUSES):
        runs.insert(index_record(f"run-{i}", status=status), preview_record())
    runs.close_queued("run-0", "cancelled")
    by_sae = walk(runs, 50, RunFilter(sae_id="sae-a", status="cancelled"))
    assert [r.request_id for r in by_sae] == ["run-5", "run-0"]
    assert by_sae == walk(runs, 50, RunFilter(status="cancelled"))
