"""A feature on somebody's own text: each value against transformers and numpy, and sae-lens."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from services.container import Container
from services.errors import Busy, InvalidArgument, NotFound, ResourceExhausted, TooLarge
from services.extraction.requests import StartExtraction
from services.probes.engine import ask
from services.probes.requests import TestText
from services.settings import Settings
from services.types import JobStatus
from tests import tiny
from tests.integration.engine.reference import reference_features
from tests.integration.probes.conftest import (
    BARE,
    DENSE,
    JUMP,
    SIGNED,
    engine_held,
    save_again,
)
from tests.made_corpora import jsonl, made

TEXT = "The cat sat, naïve 😀 日本 <|end|> and ran"
CLOSE = {"rtol": 2e-4, "atol": 2e-3}


@lru_cache
def hidden(home: Path, token_ids: tuple[int, ...]) -> np.ndarray:
    """The residual stream after block 1, by transformers alone."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(home / "models" / "tiny", dtype=torch.float32)
    with torch.no_grad():
        found = model.eval()(torch.tensor([token_ids]), output_hidden_states=True)
    return found.hidden_states[2][0].numpy()


def by_numpy(home: Path, sae_id: str, token_ids: tuple[int, ...]) -> np.ndarray:
    """Every feature at every token, [n, d_sae]."""
    w = load_file(home / "saes" / sae_id / tiny.WEIGHTS)
    found = (hidden(home, token_ids) - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    if "threshold" in w:
        return np.where(found > w["threshold"], found, 0)
    if sae_id == SIGNED:
        kept = np.argsort(-found, axis=1)[:, :20]
        only = np.zeros_like(found)
        np.put_along_axis(only, kept, np.take_along_axis(found, kept, 1), 1)
        found = only
    return np.maximum(found, 0)


def asked(lab: Container, sae_id: str, feature_id: int, text: str = TEXT, **how: str):
    values = {"sae_id": sae_id, "feature_id": feature_id, "text": text, **how}
    return lab.probes.test(TestText.parse(values))


def ids_of(found) -> tuple[int, ...]:
    return tuple(token.token_id for token in found.tokens)


@pytest.mark.parametrize("sae_id", [JUMP, DENSE, SIGNED, BARE])
def test_values_and_what_fires_are_those_of_plain_numpy(lab, sae_id):
    home = lab.settings.home
    first = asked(lab, sae_id, 0)
    expected = by_numpy(home, sae_id, ids_of(first))
    counted = np.array([not token.is_special for token in first.tokens])
    strongest = np.where(counted[:, None], expected, 0).max(0)
    for feature in np.argsort(-strongest)[[0, 3, 10]].tolist():
        found = asked(lab, sae_id, feature)
        values = np.array([token.value for token in found.tokens])
        np.testing.assert_allclose(values, expected[:, feature], **CLOSE)
        assert found.max == pytest.approx(strongest[feature], rel=1e-3)
        assert found.argmax == np.where(counted, expected[:, feature], 0).argmax()
    fires = lab.probes.fires(sae_id, TEXT)
    sure = strongest > 0.05  # below, rounding decides
    assert set(np.flatnonzero(sure)) <= set(fires.feature_ids) <= set(np.flatnonzero(strongest > 0))
    np.testing.assert_allclose(fires.values, strongest[fires.feature_ids], rtol=1e-3, atol=2e-3)
    assert (np.diff(fires.feature_ids) > 0).all()


def test_values_are_those_of_sae_lens(lab):
    home = lab.settings.home
    found = asked(lab, JUMP, 0)
    plain = reference_features(home / "models/tiny", home / "saes" / JUMP, list(ids_of(found)), 1)
    feature = int(plain[1:].max(0).argmax())
    values = [token.value for token in asked(lab, JUMP, feature).tokens]
    np.testing.assert_allclose(values, plain[:, feature], **CLOSE)


def test_values_are_those_that_an_extraction_stores(lab):
    corpus = made(jsonl(lab.settings.home / "one.jsonl", [{"text": TEXT}]), lab.settings.home)
    request = StartExtraction.parse({"sae_ids": [DENSE], "corpus_id": corpus.info.corpus_id})
    (view,) = lab.extractions.start(request)
    lab.jobs.work()
    assert lab.jobs.wait(view.job_id, 60).status is JobStatus.SUCCEEDED
    store = lab.stores.open(view.extraction_id)
    for feature in (int(np.argmax(store.counts())), 77):
        tokens, found = asked(lab, DENSE, feature).tokens, store.feature(feature)
        stored = np.zeros(len(tokens))
        stored[found.positions] = found.values
        counted = [0 if token.is_special else token.value for token in tokens]
        np.testing.assert_allclose(counted, stored, rtol=1e-3, atol=1e-3)
    assert store.n_tokens == len(tokens)


def test_a_feature_counts_however_many_are_stronger(lab):
    expected = by_numpy(lab.settings.home, DENSE, ids_of(asked(lab, DENSE, 0)))
    at = len(expected) // 2
    order = np.argsort(-expected[at])
    assert (expected[at] > 0).sum() > 600
    feature = int(order[500])  # a run keeps the strongest 256
    found = asked(lab, DENSE, feature).tokens[at].value
    assert found == pytest.approx(expected[at, feature], rel=1e-3)


def test_a_feature_that_is_silent_says_so(lab):
    fires = set(lab.probes.fires(JUMP, "cat").feature_ids.tolist())
    silent = next(i for i in range(256) if i not in fires)
    found = asked(lab, JUMP, silent, "cat")
    assert (found.max, found.argmax) == (0.0, None)


def test_bos_stands_where_the_sae_expects_it_and_is_never_doubled(lab):
    found = asked(lab, JUMP, 0, "cat")
    assert found.has_bos
    assert (found.tokens[0].text, found.tokens[0].is_special) == ("<bos>", True)
    assert ids_of(asked(lab, JUMP, 0, "<bos>cat")) == ids_of(found)
    without = asked(lab, BARE, 0, "cat")
    assert not without.has_bos
    assert ids_of(without) == ids_of(found)[1:]


def test_special_tokens_are_masked(lab):
    found = asked(lab, DENSE, 0)
    special = [token.text for token in found.tokens if token.is_special]
    assert special == ["<bos>", "<|end|>"]
    assert "".join(token.text for token in found.tokens).startswith("<bos>The cat sat")
    assert "".join(token.piece for token in found.tokens) == f"<bos>{TEXT}"
    expected = by_numpy(lab.settings.home, DENSE, ids_of(found))
    loud = int((expected[0] - expected[1:].max(0)).argmax())  # loudest at BOS
    one = asked(lab, DENSE, loud)
    assert one.tokens[0].value > one.max
    assert one.argmax != 0


def test_as_a_prompt_it_is_read_as_a_run_reads_it(lab):
    from services.runs.request import RunRequest

    found = asked(lab, JUMP, 0, "the cat", read_as="prompt")
    assert found.has_template
    body = {"prompt": "the cat", "max_tokens": 1, "model_id": "tiny", "sae_ids": [JUMP]}
    run = lab.runs.start(RunRequest.parse(body))
    lab.runs.wait(run.request_id, 60)
    view = lab.runs.view(run.request_id)
    prompt = view.tokens[: view.summary.prompt_tokens]
    assert [(t.token_id, t.is_special) for t in found.tokens] == [
        (t.token_id, t.is_special) for t in prompt
    ]
    timeline = view.timelines[0]
    feature = int(timeline.feature_ids[len(prompt) - 8, 0])
    values = timeline.values_of(feature)[: len(prompt)]
    again = asked(lab, JUMP, feature, "the cat", read_as="prompt")
    np.testing.assert_allclose([t.value for t in again.tokens], values, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_read_is_said(lab):
    with pytest.raises(InvalidArgument, match=r"tokens; tiny reads at most 128"):
        asked(lab, JUMP, 0, "cat " * 200)
    assert len(asked(lab, JUMP, 0, "the" * 10).tokens) <= 128
    with pytest.raises(TooLarge, match="12000"):
        asked(lab, JUMP, 0, "x" * 12_001)
    with pytest.raises(TooLarge):
        lab.probes.fires(JUMP, "x" * 12_001)
    with pytest.raises(NotFound, match="0 to 255"):
        asked(lab, JUMP, 256)
    with pytest.raises(NotFound, match="no SAE"):
        asked(lab, "nobody", 0)
    with pytest.raises(InvalidArgument):
        asked(lab, JUMP, 0, "")
    odd = asked(lab, JUMP, 0, "a\x00b\ud800c")
    assert odd.text == "a\u2400b\ufffdc"


def test_the_engine_has_no_time(lab):
    worker = lab.base.worker
    with engine_held(lab, full=False):
        with pytest.raises(Busy, match="at work on something else"):
            ask(worker, lambda: 1, patience_s=0.05)
        assert worker.waiting == 0
    with engine_held(lab, full=True), pytest.raises(Busy):
        asked(lab, JUMP, 0)
    assert ask(worker, lambda: 7) == 7


def test_answers_are_remembered_as_long_as_the_weights_are_the_same(lab):
    save_again(lab.settings.home, "changing", 7)
    first = lab.probes.fires("changing", "the dog")
    assert lab.probes.fires("changing", "the dog") is first
    save_again(lab.settings.home, "changing", 8)
    second = lab.probes.fires("changing", "the dog")
    assert not np.array_equal(first.feature_ids, second.feature_ids)


def test_it_keeps_to_the_memory_budget(lab, tmp_path):
    settings = Settings(home=lab.settings.home, preload=False, memory_budget_gb=1e-6)
    small = Container(settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/a.db"}))
    try:
        with pytest.raises(ResourceExhausted, match="memory budget"):
            asked(small, JUMP, 0)
    finally:
        small.close()
