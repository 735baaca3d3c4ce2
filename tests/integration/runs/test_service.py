"""Runs end to end, on both databases: prompt, text, features, kept."""

from __future__ import annotations

import shutil
import threading
import time

import numpy as np
import pytest

from services.container import Container
from services.demo import ARTEFACTS
from services.errors import (
    Busy,
    Conflict,
    InvalidArgument,
    NotFound,
    TooLarge,
    Unavailable,
    Unsupported,
)
from services.runs.queries import DeltaQuery, ExtractRequest, RowQuery, RunQuery, TopQuery
from services.runs.request import RunRequest
from services.settings import Settings
from services.types import RunStatus, RunSummary, RunView, Segment
from tests.made_models import make_endless

BODY = {"prompt": "def add(a, b):", "max_tokens": 24, "seed": 1}
TIMEOUT_S = 120


def run(container: Container, **values) -> RunView:
    """The finished run of the body with these values."""
    started = container.runs.start(RunRequest.parse(BODY | values))
    container.runs.wait(started.request_id, TIMEOUT_S)
    return container.runs.view(started.request_id)


def wait_until_writing(container: Container, request_id: str, tokens: int = 5) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while len(container.runs.live(request_id).output_tokens) < tokens:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def endless(settings) -> dict[str, object]:
    """The body of a run of 400 tokens on a model that does not stop by itself."""
    return make_endless(settings.home)


def test_a_run_keeps_text_tokens_features_and_provenance(container):
    view = run(container)
    assert view.summary.status is RunStatus.OK
    written = [t for t in view.tokens if t.segment is Segment.OUTPUT]
    assert 0 < len(written) == view.summary.output_tokens <= 24
    assert "".join(t.text for t in written if not t.is_special) == view.output_text
    assert all(t.logprob is not None and t.logprob <= 0 for t in written)
    assert all(t.logprob is None for t in view.tokens if t.segment is Segment.PROMPT)
    assert [t.position for t in view.tokens] == list(range(len(view.tokens)))
    assert view.tokens[0].is_special and "add" in "".join(t.text for t in view.tokens)
    assert len(view.timelines) == len(container.models[0].saes) >= 2
    assert all(len(t.feature_ids) == len(view.tokens) for t in view.timelines)
    rows, total = container.runs.rows(view.summary.request_id, RowQuery())
    assert len(rows) == total == view.summary.activation_rows_count
    provenance = view.provenance
    assert provenance["seed"] == 1 and provenance["device"] and provenance["dtype"]
    assert len(provenance["model"]["revision"]) == 64
    assert [s["sae_id"] for s in provenance["saes"]] == [t.sae_id for t in view.timelines]
    assert provenance["versions"]["torch"] and provenance["versions"]["sae-lens"]


def test_features_equal_sae_lens_on_plain_hidden_states(container):
    import torch
    from sae_lens import SAE
    from transformers import AutoModelForCausalLM

    view = run(container)
    path = view.provenance["model"]["path"]
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    ids = torch.tensor([[t.token_id for t in view.tokens]])
    with torch.no_grad():
        states = model(input_ids=ids, output_hidden_states=True).hidden_states
        for timeline, spec in zip(view.timelines, view.provenance["saes"], strict=True):
            sae = SAE.load_from_disk(spec["path"], dtype="float32")
            dense = sae.encode(states[timeline.layer + 1][0]).numpy()
            np.testing.assert_array_equal(timeline.l0, (dense > 0).sum(1))
            kept = timeline.feature_ids >= 0
            position, _ = np.nonzero(kept)
            there = dense[position, timeline.feature_ids[kept]]
            np.testing.assert_allclose(timeline.activations[kept], there, rtol=1e-4, atol=1e-3)
            # Nothing stronger was left out: on BOS more fire than are kept.
            width = timeline.feature_ids.shape[1]
            np.testing.assert_array_equal(kept.sum(1), np.minimum(timeline.l0, width))
            weakest = np.sort(dense, axis=1)[:, ::-1][:, width - 1]
            assert (there >= weakest[position] - 1e-3).all()


def test_the_same_seed_writes_the_same_text_and_another_one_another(container):
    values = {"temperature": 1.0, "max_tokens": 40}
    first, second = run(container, **values), run(container, **values)
    assert [t.token_id for t in first.tokens] == [t.token_id for t in second.tokens]
    assert first.summary.request_id != second.summary.request_id
    other = run(container, **values, seed=2)
    assert [t.token_id for t in other.tokens] != [t.token_id for t in first.tokens]


def test_a_drawn_seed_is_recorded_and_reproduces_the_run(container):
    drawn = run(container, seed=None, temperature=1.0)
    again = container.runs.rerun(drawn.summary.request_id)
    container.runs.wait(again.request_id, TIMEOUT_S)
    assert container.runs.view(again.request_id).tokens == drawn.tokens


def test_the_same_request_id_gives_the_same_run_and_another_body_a_conflict(container):
    request = RunRequest.parse(BODY | {"request_id": "mine"})
    first = container.runs.start(request)
    container.runs.wait("mine", TIMEOUT_S)
    assert container.runs.start(request).request_id == first.request_id
    assert len(container.runs.list(RunQuery()).items) == 1
    with pytest.raises(Conflict, match="mine"):
        container.runs.start(RunRequest.parse(BODY | {"request_id": "mine", "seed": 9}))


def test_many_equal_submissions_make_one_run(container):
    request = RunRequest.parse(BODY | {"request_id": "mine", "max_tokens": 2})
    found: list[RunSummary] = []
    threads = [
        threading.Thread(target=lambda: found.append(container.runs.start(request)))
        for _ in range(12)
    ]
    [t.start() for t in threads]
    [t.join(TIMEOUT_S) for t in threads]
    assert [s.request_id for s in found] == ["mine"] * 12
    container.runs.wait("mine", TIMEOUT_S)
    assert len(container.runs.list(RunQuery()).items) == 1


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"model_id": "no-such-model"}, NotFound),
        ({"sae_id": "no-such-sae"}, NotFound),
        ({"sae_layer": 99}, NotFound),
        ({"sae_ids": ["demo-l1-res", "demo-l1-res"]}, InvalidArgument),
        ({"sae_id": "demo-l1-res", "sae_layer": 2}, InvalidArgument),
        ({"max_tokens": 5000}, InvalidArgument),
        ({"prompt": "x" * 12_001}, TooLarge),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_done_is_refused_before_anything_is_stored(
    container, values, error
):
    with pytest.raises(error):
        container.runs.start(RunRequest.parse(BODY | values))
    assert container.runs.list(RunQuery()).items == ()


def test_an_sae_of_another_model_is_refused(container, endless):
    with pytest.raises(Unsupported, match="trained on endless"):
        container.runs.start(RunRequest.parse(BODY | {"sae_id": "endless-l2"}))


def test_a_prompt_that_leaves_no_room_ends_as_an_error_with_the_figures(container):
    view = run(container, prompt="word " * 2000)
    assert view.summary.status is RunStatus.ERROR
    assert "1024" in view.summary.error_message
    assert view.provenance["error"]["code"] == "INVALID_ARGUMENT"


def test_a_broken_sae_makes_the_run_partial_and_leaves_the_others(container, settings):
    import torch
    from safetensors.torch import load_file, save_file

    folder = settings.home / "saes" / "broken"
    shutil.copytree(ARTEFACTS / "saes" / "demo-l1-res", folder)
    weights = load_file(folder / "sae_weights.safetensors")
    weights["W_enc"][3, 5] = torch.nan
    save_file(weights, folder / "sae_weights.safetensors")

    view = run(container, sae_ids=["broken", "demo-l2-res"])
    assert view.summary.status is RunStatus.PARTIAL
    assert "broken" in view.summary.error_message and view.output_text
    failed, good = view.timelines
    assert failed.error and len(failed.feature_ids) == 0
    assert good.error is None and len(good.feature_ids) == len(view.tokens)
    assert container.runs.top_features(view.summary.request_id, TopQuery(n=3))


def test_text_only_runs_have_no_features(container):
    view = run(container, inline_sae=False)
    assert view.summary.status is RunStatus.OK
    assert view.timelines == () and not view.summary.sae_enabled


def test_cancel_stops_within_a_token_and_keeps_what_was_written(container, endless):
    started = container.runs.start(RunRequest.parse(endless))
    wait_until_writing(container, started.request_id)
    seen = len(container.runs.live(started.request_id).output_tokens)
    container.runs.cancel(started.request_id)
    summary = container.runs.wait(started.request_id, TIMEOUT_S)
    assert summary.status is RunStatus.CANCELLED
    assert seen <= summary.output_tokens < 400
    view = container.runs.view(started.request_id)
    assert len(view.timelines[0].feature_ids) == len(view.tokens)
    assert view.summary.finish_reason == "cancelled"


def test_a_queued_run_is_cancelled_at_once_and_never_begins(container, endless):
    first = container.runs.start(RunRequest.parse(endless))
    waiting = container.runs.start(RunRequest.parse(endless))
    assert container.runs.live(waiting.request_id).queue_position == 1
    assert container.runs.cancel(waiting.request_id).status is RunStatus.CANCELLED
    container.runs.cancel(first.request_id)
    container.runs.wait(first.request_id, TIMEOUT_S)
    assert container.runs.view(waiting.request_id).tokens == ()
    assert container.runs.summary(waiting.request_id).status is RunStatus.CANCELLED


def test_a_full_queue_is_busy_and_stores_nothing(settings, endless):
    container = Container(settings.model_copy(update={"queue_limit": 2}))
    try:
        started = []
        with pytest.raises(Busy):
            for _ in range(4):
                started.append(container.runs.start(RunRequest.parse(endless)).request_id)
        assert len(started) in (2, 3)
        assert len(container.runs.list(RunQuery()).items) == len(started)
    finally:
        container.close()


def test_followers_see_tokens_arrive_and_the_end(container, endless):
    started = container.runs.start(RunRequest.parse(endless | {"max_tokens": 60}))
    states = list(container.runs.follow(started.request_id, every_s=0.01))
    counts = [len(s.output_tokens) for s in states]
    assert counts == sorted(counts) and counts[-1] == 60
    assert len({c for c in counts if 0 < c < 60}) > 3
    assert states[-1].status is RunStatus.OK and states[-1].phase == "done"
    assert [s.status for s in container.runs.follow(started.request_id)] == [RunStatus.OK]


def test_closing_keeps_what_runs_have_written(settings, endless):
    container = Container(settings)
    started = container.runs.start(RunRequest.parse(endless))
    wait_until_writing(container, started.request_id)
    container.close()
    reopened = Container(settings)
    view = reopened.runs.view(started.request_id)
    reopened.close()
    assert view.summary.status is RunStatus.INTERRUPTED
    assert view.summary.output_tokens >= 5 and view.timelines[0].error is None


def test_deltas_against_a_baseline_run_compare_aligned_tokens(container):
    ours, base = run(container), run(container, prompt="def add(a, c):")
    feature = container.runs.top_features(ours.summary.request_id, TopQuery(n=1))[0]
    found = container.runs.deltas(
        ours.summary.request_id,
        DeltaQuery(
            feature_id=feature.feature_id, sae_id=feature.sae_id, baseline=base.summary.request_id
        ),
    )
    compared = [p for p in found.points if p.baseline_position is not None]
    assert len(compared) >= 10
    assert all(base.tokens[p.baseline_position].token_id == p.token_id for p in compared)
    values = base.timeline(feature.sae_id).values_of(feature.feature_id)
    assert all(p.baseline_value == values[p.baseline_position] for p in compared)


def test_extract_gives_the_features_of_the_run(container):
    view = run(container)
    timelines, tokens = container.runs.extract(
        ExtractRequest(token_ids=[t.token_id for t in view.tokens])
    )
    assert [t.text for t in tokens] == [t.text for t in view.tokens]
    for made, kept in zip(timelines, view.timelines, strict=True):
        np.testing.assert_array_equal(made.feature_ids, kept.feature_ids)
        np.testing.assert_array_equal(made.activations, kept.activations)
    assert len(container.runs.list(RunQuery()).items) == 1


@pytest.mark.parametrize("token_ids", [[10**9], [5] * 5000])
def test_extract_refuses_what_the_model_cannot_read(container, token_ids):
    with pytest.raises(InvalidArgument):
        container.runs.extract(ExtractRequest(token_ids=token_ids))


def test_a_feature_is_found_across_runs_above_any_threshold(container):
    views = [run(container, seed=s, max_tokens=8) for s in range(3)]
    sae_id = views[0].timelines[0].sae_id
    counted = [~np.array([t.is_special for t in v.tokens]) for v in views]
    values = {v.summary.request_id: v.timelines[0].values_of for v in views}
    feature = container.runs.top_features(views[0].summary.request_id, TopQuery(sae_id=sae_id))[5]
    peaks = {
        request_id: float(of(feature.feature_id)[mask].max())
        for (request_id, of), mask in zip(values.items(), counted, strict=True)
    }
    for threshold in (0.0, min(peaks.values()) + 1e-3, max(peaks.values()) + 1):
        found = container.runs.list(
            RunQuery(sae_id=sae_id, feature_id=feature.feature_id, min_activation=threshold)
        )
        assert {s.request_id for s in found.items} == {r for r, p in peaks.items() if p > threshold}
    strengths = container.runs.strengths(sae_id, feature.feature_id, [*peaks, "no such run"])
    assert {r: s.max_activation for r, s in strengths.items()} == {
        r: p for r, p in peaks.items() if p > 0
    }
    for (request_id, of), mask in zip(values.items(), counted, strict=True):
        fired = of(feature.feature_id)[mask] != 0
        assert not fired.any() or strengths[request_id].hits == fired.sum()
    assert container.runs.strengths("no-such-sae", 1, [*peaks]) == {}


def test_the_list_pages_through_all_runs_once_with_filters(container):
    for i in range(5):
        run(container, prompt=f"Ünïcode {i}", max_tokens=1, inline_sae=i % 2 == 0)
    seen, cursor = [], None
    while True:
        page = container.runs.list(RunQuery(limit=2, cursor=cursor))
        seen += [s.prompt_preview for s in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == [f"Ünïcode {i}" for i in reversed(range(5))]
    assert len(container.runs.list(RunQuery(text="üNÏCODE 3")).items) == 1
    assert len(container.runs.list(RunQuery(sae_enabled=True)).items) == 3
    assert len(container.runs.list(RunQuery(status="ok", sae_id="demo-l1-res")).items) == 3
    with pytest.raises(InvalidArgument, match="next_cursor"):
        container.runs.list(RunQuery(cursor="yesterday"))


def test_notes_are_kept_and_a_deleted_run_is_gone(container):
    request_id = run(container, max_tokens=2).summary.request_id
    assert container.runs.set_notes(request_id, "look at\x00 this ☃").notes == "look at␀ this ☃"
    container.runs.delete(request_id)
    for call in (container.runs.view, container.runs.delete, container.runs.summary):
        with pytest.raises(NotFound):
            call(request_id)
    with pytest.raises(NotFound):
        container.runs.set_notes(request_id, "x")


def test_a_run_under_way_cannot_be_deleted(container, endless):
    request_id = container.runs.start(RunRequest.parse(endless)).request_id
    with pytest.raises(Conflict, match="cancel"):
        container.runs.delete(request_id)
    container.runs.cancel(request_id)


def test_output_text_joins_characters_that_are_split_over_tokens(container):
    view = run(container, prompt="日本語 \U0001f600 é\u0301 ok", chat_template="off", max_tokens=2)
    assert view.rendered_prompt == "日本語 \U0001f600 é\u0301 ok"
    shown = [t.text for t in view.tokens if not t.is_special and t.segment is Segment.PROMPT]
    assert all("\ufffd" not in text for text in shown)
    assert any("\\x" in text for text in shown)


def test_health_is_ok_and_names_every_part(container):
    health = container.health()
    assert health.status == "ok", health
    names = {check.name for check in health.checks}
    assert {"database", "model", "device", "memory", "queue", "disk"} <= names
    assert {"sae:demo-l1-res", "sae:demo-l2-res"} <= names


def test_a_folder_that_is_no_sae_degrades_health_with_the_reason(container, settings):
    folder = settings.home / "saes" / "half-copied"
    folder.mkdir(parents=True)
    (folder / "cfg.json").write_text("{")
    health = container.health()
    assert health.status == "degraded"
    assert any("half-copied" in c.name and not c.ok and c.message for c in health.checks)


def test_a_database_that_is_not_there_is_said_at_the_start(tmp_path):
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    with pytest.raises(Unavailable):
        Container(Settings(home=tmp_path, database_url=url))
