"""From queued to final: one owner, one end, and nothing left after deletion."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from db.errors import DuplicateRequest, RunIsActive
from db.models import Base, SaeKey, table
from db.records import FINAL, RunText
from tests.integration.db.samples import (
    NOW,
    Runs,
    index_record,
    outcome,
    preview_record,
    store,
    tokens,
)

LATER = NOW + timedelta(seconds=5)


def counts(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(t)) or 0
            for name, t in Base.metadata.tables.items()
        }


def test_a_known_request_id_is_refused_and_changes_nothing(runs: Runs, engine: Engine) -> None:
    store(runs, "run", outcome())
    before = counts(engine), runs.get("run", with_preview=True).index
    with pytest.raises(DuplicateRequest):
        runs.insert(index_record("run", fingerprint="other"), preview_record("other"))
    assert (counts(engine), runs.get("run", with_preview=True).index) == before
    assert runs.fingerprint("run") == "f" * 64
    assert runs.fingerprint("other") is None


def test_of_many_equal_requests_one_is_stored(runs: Runs, engine: Engine) -> None:
    barrier = threading.Barrier(8)

    def insert(i: int) -> bool:
        barrier.wait()
        try:
            runs.insert(index_record("run", notes=str(i)), preview_record(str(i)))
        except DuplicateRequest:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        winners = [i for i, won in enumerate(pool.map(insert, range(8))) if won]
    assert len(winners) == 1
    stored = runs.get("run", with_preview=True)
    assert (stored.index.notes, stored.preview.prompt) == (str(winners[0]), str(winners[0]))


def test_new_saes_named_by_many_writers_at_once_get_one_number_each(
    runs: Runs, engine: Engine
) -> None:
    rounds, writers, names = 3, 4, 20
    barrier = threading.Barrier(writers)

    def insert(writer: int) -> None:
        for i in range(rounds):
            sae_ids = tuple(f"sae-{i}-{j}" for j in range(names))[:: (-1) ** writer]
            barrier.wait()
            runs.insert(index_record(f"run-{i}-{writer}", sae_ids=sae_ids), preview_record())

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(insert, range(writers)))
    found = counts(engine)
    assert found["activation_sae_keys"] == rounds * names
    assert found["activation_run_saes"] == rounds * names * writers


def test_of_many_claims_one_wins(runs: Runs) -> None:
    for i in range(10):
        store(runs, f"run-{i}")
    barrier = threading.Barrier(6)

    def claim_all(owner: str) -> list[str]:
        barrier.wait()
        return [f"run-{i}" for i in range(10) if runs.claim(f"run-{i}", owner)]

    with ThreadPoolExecutor(6) as pool:
        claimed = list(pool.map(claim_all, map(str, range(6))))
    assert sorted(itertools.chain(*claimed)) == sorted(f"run-{i}" for i in range(10))
    for owner, ids in enumerate(claimed):
        assert all(runs.get(i).index.owner == str(owner) for i in ids)


def test_a_claim_says_who_and_when(runs: Runs) -> None:
    store(runs, "run")
    assert runs.claim("run", "me", LATER)
    index = runs.get("run").index
    assert (index.status, index.owner, index.heartbeat_at) == ("running", "me", LATER)
    assert index.updated_at == LATER
    assert not runs.claim("run", "me")
    assert not runs.claim("none such", "me")


def test_a_checkpoint_keeps_the_text_so_far(runs: Runs) -> None:
    store(runs, "run")
    runs.claim("run", "me", NOW)
    text = RunText(
        rendered_prompt="<s>The cat",
        prompt_token_ids=[1, 2],
        output_text=" s",
        output_token_ids=[3],
        tokens=tokens("<s>", "The", " s"),
    )
    assert runs.checkpoint("run", "me", text, now=LATER)
    stored = runs.get("run", with_preview=True)
    assert stored.preview.text.output_text == " s"
    assert stored.preview.text.tokens.texts == ("<s>", "The", " s")
    assert (stored.index.prompt_tokens, stored.index.output_tokens) == (2, 1)
    assert stored.index.heartbeat_at == stored.index.updated_at == LATER


@pytest.mark.parametrize("end", ["interrupted", "finished", "other owner", "queued"])
def test_writes_of_a_run_that_is_not_ours_change_nothing(
    runs: Runs, engine: Engine, end: str
) -> None:
    store(runs, "run")
    if end != "queued":
        runs.claim("run", "you" if end == "other owner" else "me", NOW)
    if end == "interrupted":
        assert runs.interrupt_orphans(["me"], NOW) == ["run"]
    if end == "finished":
        assert runs.finish("run", "me", outcome("cancelled"), NOW)
    before = counts(engine), runs.get("run", with_preview=True, with_timelines=True).index
    assert not runs.finish("run", "me", outcome(), LATER)
    assert not runs.checkpoint("run", "me", RunText(output_text="late"), now=LATER)
    stored = runs.get("run", with_preview=True, with_timelines=True)
    assert (counts(engine), stored.index) == before
    assert stored.preview.text.output_text != "late"


def test_a_queued_run_is_closed_only_while_nobody_claimed_it(runs: Runs) -> None:
    store(runs, "a")
    store(runs, "b")
    runs.claim("b", "me")
    assert runs.close_queued("a", "error", "the model is gone", LATER)
    assert not runs.close_queued("b", "cancelled")
    assert not runs.claim("a", "me")
    index = runs.get("a").index
    assert (index.status, index.error_message) == ("error", "the model is gone")
    assert runs.get("b").index.status == "running"


def test_orphans_are_interrupted_and_the_living_are_not(runs: Runs) -> None:
    owners = {"dead": "d", "silent": "s", "alive": "a"}
    for name, owner in owners.items():
        store(runs, name, owner=owner)
        runs.claim(name, owner, NOW)
        store(runs, f"{name}-queued", owner=owner)
    store(runs, "waiting")
    runs.claim("done", "d", NOW)
    store(runs, "finished", outcome())
    assert runs.heartbeat("a", LATER) == 2
    assert runs.heartbeat("d", LATER) == 2
    assert sorted(runs.active_owners()) == ["a", "d", "s"]

    orphans = runs.interrupt_orphans({"d"}, LATER, LATER)
    assert sorted(orphans) == ["dead", "dead-queued", "silent", "silent-queued"]
    for request_id in orphans:
        index = runs.get(request_id).index
        assert (index.status, index.updated_at) == ("interrupted", LATER)
        assert "ended" in index.error_message
    assert runs.get("alive").index.status == "running"
    assert runs.get("alive-queued").index.status == "queued"
    assert runs.get("waiting").index.status == "queued"
    assert runs.get("finished").index.status == "ok"
    assert runs.interrupt_orphans({"d"}, LATER, LATER) == []


def test_runs_that_their_owner_does_not_work_on_are_ended(runs: Runs) -> None:
    for name in ("kept", "lost"):
        store(runs, name, owner="me")
        runs.claim(name, "me", NOW)
    store(runs, "other", owner="you")
    assert runs.interrupt_lost("me", ["kept"], NOW, LATER) == []  # accepted just now
    assert runs.interrupt_lost("me", ["kept"], LATER, LATER) == ["lost"]
    assert runs.get("lost").index.status == "interrupted"
    assert runs.get("kept").index.status == "running"
    assert runs.get("other").index.status == "queued"


def test_a_living_owner_may_be_silent(runs: Runs) -> None:
    store(runs, "run", owner="me")
    runs.claim("run", "me", NOW)
    assert runs.interrupt_orphans([], LATER, LATER, living=["me"]) == []
    assert runs.interrupt_orphans([], LATER, LATER) == ["run"]


def test_a_checkpoint_keeps_what_the_run_is_computed_with(runs: Runs) -> None:
    store(runs, "run")
    runs.claim("run", "me", NOW)
    runs.checkpoint("run", "me", RunText(output_text="so far"), {"device": "cpu"}, NOW)
    runs.interrupt_orphans(["me"], NOW, LATER)
    assert runs.get("run", with_preview=True).preview.provenance == {"device": "cpu"}


def test_what_an_interrupted_run_wrote_is_kept(runs: Runs) -> None:
    store(runs, "run")
    runs.claim("run", "me", NOW)
    runs.checkpoint("run", "me", RunText(output_text="so far"), now=NOW)
    runs.interrupt_orphans(["me"], NOW)
    assert runs.get("run", with_preview=True).preview.text.output_text == "so far"


def test_a_finish_races_with_an_interruption_and_one_of_them_holds(runs: Runs) -> None:
    for i in range(10):
        store(runs, f"run-{i}")
        runs.claim(f"run-{i}", "me", NOW)
        barrier = threading.Barrier(2)

        def finish(request_id: str = f"run-{i}", gate: threading.Barrier = barrier) -> bool:
            gate.wait()
            return runs.finish(request_id, "me", outcome(), LATER)

        def interrupt(gate: threading.Barrier = barrier) -> list[str]:
            gate.wait()
            return runs.interrupt_orphans(["me"], NOW, LATER)

        with ThreadPoolExecutor(2) as pool:
            finished, interrupted = pool.submit(finish), pool.submit(interrupt)
            assert finished.result() != bool(interrupted.result())
        stored = runs.get(f"run-{i}", with_timelines=True)
        assert stored.index.status == ("ok" if finished.result() else "interrupted")
        assert bool(stored.timelines) == finished.result()


def test_deleting_a_run_leaves_nothing_of_it(runs: Runs, engine: Engine) -> None:
    empty = counts(engine)
    for status in FINAL:
        store(runs, f"run-{status}", outcome(status))
    store(runs, "other", outcome())
    for status in FINAL:
        assert runs.delete(f"run-{status}")
    assert runs.get("other", with_preview=True, with_timelines=True).timelines
    assert runs.delete("other")
    assert counts(engine) == empty | {table(SaeKey).name: 2}  # names of SAEs, not of runs
    assert not runs.delete("other")


def test_a_run_under_way_is_not_deleted(runs: Runs) -> None:
    store(runs, "run")
    with pytest.raises(RunIsActive):
        runs.delete("run")
    runs.claim("run", "me")
    with pytest.raises(RunIsActive):
        runs.delete("run")
    runs.finish("run", "me", outcome())
    assert runs.delete("run")


def test_notes_are_replaced(runs: Runs) -> None:
    store(runs, "run")
    assert runs.set_notes("run", "first")
    assert runs.set_notes("run", "second", LATER)
    index = runs.get("run").index
    assert (index.notes, index.updated_at) == ("second", LATER)
    assert not runs.set_notes("none such", "x")


def test_a_run_is_seen_whole_or_not_at_all(runs: Runs) -> None:
    store(runs, "run")
    runs.claim("run", "me", NOW)
    seen: set[tuple[str, int]] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            stored = runs.get("run", with_preview=True, with_timelines=True)
            seen.add((stored.index.status, len(stored.timelines)))

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        runs.finish("run", "me", outcome())
        runs.get("run")
        done.set()
        for reader in readers:
            reader.result()
    assert seen <= {("running", 0), ("ok", 2)}


def test_an_unknown_run_is_none(runs: Runs) -> None:
    assert runs.get("none such", with_preview=True, with_timelines=True) is None
