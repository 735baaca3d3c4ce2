"""After real extractions: planted features are found, and what is highlighted at a token is what
plain transformers and numpy say that the SAE gives there.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from services.errors import NotFound
from services.evidence.requests import ExamplesQuery, IntervalsQuery, RelatedQuery, ViewQuery
from tests import planted, tiny
from tests.integration.evidence.conftest import HARD, SPREAD

CODES = {planted.ALWAYS: {"dense"}, planted.DEAD: {"dead"}, planted.ON_BOS: {"dead"}}


@pytest.fixture(scope="module")
def expected():
    return planted.expected(planted.corpus())


@pytest.mark.parametrize("feature", range(planted.D_SAE))
def test_examples_are_where_the_feature_was_planted(read, expected, feature):
    fired = expected.features[feature]
    query = ExamplesQuery(sae_id=planted.SAE, feature_id=feature, limit=200, width=0)
    page = read.evidence.examples(query)
    values = np.array(fired.values, np.float16).astype(np.float32)
    order = np.lexsort((fired.positions, -values)) if len(values) else []
    places = [(fired.positions[i], float(values[i])) for i in order][:200]
    found = [(e.example.context.position, e.example.value) for e in page.items]
    counted = 0 if feature in planted.DEAD_ONES else len(values)
    assert page.total == counted and found == places[:counted]
    for item in page.items:
        assert item.document == expected.documents[item.example.context.document].name
        letter = item.example.context.text
        assert feature == planted.ALWAYS or letter in planted.LETTERS[feature]


def test_warnings_of_planted_features(read):
    for feature in range(planted.D_SAE):
        view = read.evidence.view(ViewQuery(sae_id=planted.SAE, feature_id=feature))
        one_letter = len(planted.LETTERS.get(feature, "")) == 1
        expected = CODES.get(feature, {"one_token"} if one_letter else set())
        assert {w.code for w in view.warnings} - {"few_examples"} == expected
        assert view.source.corpus_name.startswith("letters") and view.source.is_complete


def test_what_writes_the_same_is_the_nearest_and_fires_together(read):
    query = RelatedQuery(sae_id=planted.SAE, feature_id=planted.ON_X)
    nearest = read.evidence.related(query)[0]
    assert (nearest.feature_id, nearest.value) == (planted.ALSO_ON_X, pytest.approx(1))
    n = read.evidence.view(ViewQuery(sae_id=planted.SAE, feature_id=planted.ON_X)).known.n
    assert nearest.count == nearest.n == n
    assert nearest.top_tokens == ("X",)
    together = read.evidence.related(
        RelatedQuery(sae_id=planted.SAE, feature_id=planted.ON_X, by="jaccard", limit=1)
    )
    assert [(o.feature_id, o.value) for o in together] == [(planted.ALSO_ON_X, 1.0)]
    farthest = read.evidence.related(query)[-1]
    assert (farthest.feature_id, farthest.value) == (planted.ON_V, pytest.approx(-1))


def test_the_interval_tokens_name_the_letter(read):
    query = IntervalsQuery(sae_id=planted.SAE, feature_id=planted.ONLY_Q, width=0, n_intervals=4)
    strongest = read.evidence.intervals(query)[0]
    assert [(t.text, t.score) for t in strongest.tokens] == [("Q", 1.0)]


def encoded(home, hidden):
    """The SAE by its definition (JumpReLU, b_dec off the input)."""
    folder = home / "saes" / SPREAD
    w = load_file(folder / tiny.WEIGHTS)
    before = (hidden - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    assert json.loads((folder / "cfg.json").read_text())["apply_b_dec_to_input"]
    return np.where(before > w["threshold"], before, 0)


@pytest.fixture(scope="module")
def plain(read):
    """By document: token ids with BOS, and all features of each token [t, 64]."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = read.settings.home / "models" / "tiny"
    model, tokenizer = (
        kind.from_pretrained(folder) for kind in (AutoModelForCausalLM, AutoTokenizer)
    )
    found = []
    for text in HARD:
        ids = tokenizer(text)["input_ids"]
        with torch.no_grad():
            seen = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[2]
        found.append((ids, encoded(read.settings.home, seen[0].numpy().astype(np.float64))))
    return found


def test_each_highlight_is_the_activation_at_that_very_token(read, plain):
    seen = 0
    for feature in range(64):
        query = ExamplesQuery(sae_id=SPREAD, feature_id=feature, limit=200, width=512)
        page = read.evidence.examples(query)
        counted = sum(int((v[1:, feature] > 0).sum()) for _, v in plain)  # BOS does not count
        assert page.total == len(page.items) == counted
        for item in page.items:
            context = item.example.context
            ids, values = plain[context.document]
            assert list(context.token_ids) == ids  # the whole document
            shown = np.array(context.values)
            np.testing.assert_allclose(shown[1:], values[1:, feature], rtol=2e-3, atol=2e-3)
            assert shown[0] == 0 and item.special == (True, *([False] * (len(ids) - 1)))
            at = context.position - context.start
            assert item.example.value == context.values[at] > 0
            assert "".join(context.pieces[1:]) == HARD[context.document]
            seen += 1
    assert seen > 100


def test_characters_over_several_tokens_are_shown_once(read):
    """A token that is a part of a character has no characters, or those that end in it."""
    query = ExamplesQuery(sae_id=SPREAD, feature_id=busiest(read), limit=200, width=3)
    for item in read.evidence.examples(query).items:
        pieces = item.example.context.pieces
        assert len(pieces) == len(item.example.context.token_ids) == len(item.special)
        text = HARD[item.example.context.document]
        inside = "".join(pieces).replace("<bos>", "").strip("\N{REPLACEMENT CHARACTER}")
        assert inside in text


def busiest(read):
    store = read.evidence.view(ViewQuery(sae_id=SPREAD, feature_id=0)).source.store_id
    return int(read.stores.open(store).counts().argmax())


def test_an_sae_without_a_store_has_its_page(read):
    view = read.evidence.view(ViewQuery(sae_id="demo-l1-res", feature_id=5))
    assert (view.source, view.known, view.previous, view.next) == (None, None, 4, 6)
    assert read.evidence.decoder("demo-l1-res", 5) is None
    with pytest.raises(NotFound, match="decoder"):
        read.evidence.related(RelatedQuery(sae_id="demo-l1-res", feature_id=5))
