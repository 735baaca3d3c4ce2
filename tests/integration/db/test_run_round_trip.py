"""What is stored of a run is read back equal, from either database; what is not, is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from db.records import RunText, TimelineRecord
from tests.integration.db.samples import (
    NOW,
    Runs,
    assert_same_timelines,
    fired,
    index_record,
    outcome,
    preview_record,
    store,
    tokens,
)

TEXTS = {
    "empty": "",
    "emoji": "👩‍👩‍👧‍👦 naïve ﬃ 日本語",
    "bidi": "\u202eevil\u202c \u2066x\u2069",
    "combining": "e\u0301 \u00e9",
    "line ends": "a\r\nb\rc\u2028d",
    "controls": "".join(map(chr, range(1, 32))),
    "sql": "'; DROP TABLE activation_run_index; -- %s {0} \\u0000",
    "outside the BMP": "\U0010ffff\ufeff",
    "very long": "ÄÖÜ🙂x" * 40_000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_every_text_column_keeps_any_text(runs: Runs, text: str) -> None:
    index = index_record(
        "run", model_id=text[:200], prompt_preview=text, fingerprint=text, sae_ids=(text[:200],)
    )
    nested = {"k" + text[:100]: [text, {"": None, "n": 1.5}]}
    preview = preview_record(text, request=nested)
    read_and_written = RunText(rendered_prompt=text, output_text=text, tokens=tokens(text, "x"))
    runs.insert(index, preview)
    runs.claim("run", "me")
    result = outcome(error_message=text, finish_reason=text, provenance=nested)
    runs.finish("run", "me", replace(result, text=read_and_written))
    runs.set_notes("run", text)

    stored = runs.get("run", with_preview=True)
    got = stored.index
    assert (got.model_id, got.prompt_preview, got.fingerprint) == (text[:200], text, text)
    assert (got.error_message, got.finish_reason, got.notes) == (text, text, text)
    assert got.sae_ids == (text[:200],)
    assert stored.preview.prompt == text
    assert stored.preview.request == stored.preview.provenance == nested
    assert stored.preview.text.output_text == stored.preview.text.rendered_prompt == text
    assert stored.preview.text.tokens.texts == (text, "x")


def test_every_field_of_the_index_is_kept(runs: Runs) -> None:
    index = index_record(
        status="partial",
        prompt_chars=2**62,
        prompt_tokens=2,
        output_tokens=3,
        events_count=4,
        actions_count=5,
        activation_rows_count=2**40,
        unique_features_count=7,
        sae_layers=(0, 47),
        error_message="sae-b: no such hook",
        duration_ms=2**33,
        finish_reason="length",
        top_features_preview=(("sae-a", 2**31 - 1), ("sae-b", 0)),
        notes="n",
        owner="host/1/2",
        heartbeat_at=NOW + timedelta(microseconds=1),
        updated_at=NOW + timedelta(days=40_000),
    )
    defaults = {f.name for f in fields(index) if getattr(index, f.name) == f.default}
    assert defaults == {"run_seq"}
    runs.insert(index, preview_record())
    stored = runs.get("run-1").index
    assert replace(stored, run_seq=None) == index
    assert runs.page(1) == [stored]


def test_finish_keeps_all_results(runs: Runs) -> None:
    result = outcome()
    store(runs, "run", result)
    stored = runs.get("run", with_preview=True, with_timelines=True)
    assert_same_timelines(stored.timelines, result.timelines)
    text = stored.preview.text
    assert text.tokens.texts == result.text.tokens.texts
    assert (text.tokens.is_special == result.text.tokens.is_special).all()
    assert text.tokens.logprobs.tobytes() == result.text.tokens.logprobs.tobytes()
    assert (list(text.prompt_token_ids), list(text.output_token_ids)) == ([1, 2, 3], [4])
    assert stored.preview.provenance == result.provenance
    assert stored.index.top_features_preview == result.top_features_preview
    assert (stored.index.prompt_tokens, stored.index.output_tokens) == (3, 1)
    assert (stored.index.status, stored.index.duration_ms) == ("ok", 12)


def test_a_failed_sae_keeps_its_reason_and_no_positions(runs: Runs) -> None:
    none = np.zeros((0, 0), np.int32)
    failed = TimelineRecord(
        sae_id="sae-b",
        hook_name="",
        layer=-1,
        top_k=20,
        feature_ids=none,
        activations=none.astype(np.float32),
        l0=np.zeros(0, np.int32),
        error="no such hook",
    )
    store(runs, "run", outcome("partial", timelines=(failed,), fired=()))
    assert_same_timelines(runs.get("run", with_timelines=True).timelines, [failed])


def test_timelines_come_in_the_order_given(runs: Runs) -> None:
    given = outcome().timelines[::-1]
    store(runs, "run", outcome(timelines=given))
    read = runs.get("run", with_timelines=True).timelines
    assert [t.sae_id for t in read] == [t.sae_id for t in given]


@pytest.mark.parametrize("hours", [-12, 0, 5.75, 14])
def test_times_are_the_same_instant_in_utc(runs: Runs, hours: float) -> None:
    local = NOW.astimezone(timezone(timedelta(hours=hours)))
    runs.insert(index_record(created_at=local, updated_at=local), preview_record())
    stored = runs.get("run-1").index
    assert stored.created_at == local
    assert stored.created_at.utcoffset() == timedelta(0)


def test_times_without_zone_are_refused(runs: Runs) -> None:
    with pytest.raises(ValueError, match="zone"):
        runs.insert(index_record(updated_at=datetime(2026, 1, 1)), preview_record())


@pytest.mark.parametrize(
    ("bad", "reason"),
    [("a\x00b", r"U\+0000"), ("a\ud800b", "surrogate"), ("\udfff", "surrogate")],
    ids=["NUL", "high surrogate", "low surrogate"],
)
def test_text_that_not_both_databases_take_is_refused(runs: Runs, bad: str, reason: str) -> None:
    nested = [{"prompt": bad}, {bad: 1}, {"a": [{"b": [bad]}]}]
    refused = [
        (index_record(prompt_preview=bad), preview_record()),
        (index_record(sae_ids=(bad,)), preview_record()),
        (index_record(), preview_record(bad, request={})),
        *[(index_record(), preview_record(request=request)) for request in nested],
    ]
    for index, preview in refused:
        with pytest.raises(ValueError, match=reason):
            runs.insert(index, preview)
    assert runs.page(10) == []
    store(runs, "run")
    with pytest.raises(ValueError, match=reason):
        runs.set_notes("run", bad)


def test_a_backslash_u_that_the_user_typed_is_no_nul(runs: Runs) -> None:
    request = {"a": "\\u0000", "b": "\\\\u0000 \\n"}
    runs.insert(index_record(), preview_record(request=request))
    assert runs.get("run-1", with_preview=True).preview.request == request


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.int64(3), np.bool_(True), {1}])
def test_json_that_is_none_is_refused(runs: Runs, bad: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        runs.insert(index_record(), preview_record(request={"a": [bad]}))
    assert runs.page(10) == []


@pytest.mark.parametrize("bad", [np.int64(3), np.int32(3), True, 3.0, "3", 2**63])
def test_what_is_no_64_bit_int_is_refused(runs: Runs, bad: object) -> None:
    with pytest.raises(ValueError, match="int"):
        runs.insert(index_record(prompt_tokens=bad), preview_record())


@pytest.mark.parametrize("bad", [np.int64(3), True, 3.0])
def test_token_ids_that_are_no_ints_are_refused(runs: Runs, bad: object) -> None:
    with pytest.raises(ValueError, match="token id"):
        runs.insert(index_record(), preview_record(text=RunText(output_token_ids=[1, bad])))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_finish_with_a_value_that_is_no_number_keeps_nothing(runs: Runs, bad: float) -> None:
    store(runs, "run")
    runs.claim("run", "me")
    good = outcome()
    with pytest.raises(ValueError, match="finite"):
        runs.finish("run", "me", replace(good, fired=(fired("sae-a", {1: bad}),)))
    values = good.timelines[0].activations.copy()
    values[0, 0] = bad
    broken = replace(good.timelines[0], activations=values)
    with pytest.raises(ValueError, match=r"finite|unused"):
        runs.finish("run", "me", replace(good, timelines=(broken,)))
    assert runs.get("run").index.status == "running"
    assert runs.finish("run", "me", good)


def test_a_status_outside_the_list_is_refused(runs: Runs) -> None:
    with pytest.raises(ValueError, match="status"):
        runs.insert(index_record(status="done"), preview_record())
    store(runs, "run")
    runs.claim("run", "me")
    with pytest.raises(ValueError, match="running"):
        runs.finish("run", "me", outcome("running"))
