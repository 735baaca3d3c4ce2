"""The tokenised preview: windows as the model reads them, counts of what was looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.corpus.requests import PackingQuery
from services.corpus.tokenised import preview
from services.errors import InvalidArgument
from services.types import ModelInfo
from tests import tiny
from tests.made_corpora import jsonl, made

TEXTS = ["abc", "", "!?;:#%&$()" * 3, "<bos>xy<|end|>", "z " * 125_000, "never looked at"]
MODEL = ModelInfo("tiny", 3, 64, 128, 320, None, False, "llama")
BOS = 1


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root: Path = tmp_path_factory.mktemp("tokenised")
    return made(jsonl(root / "some.jsonl", [{"text": text} for text in TEXTS]), root)


@pytest.fixture(scope="module")
def tokenizer():
    return tiny.byte_level_tokenizer()


def looked_at():
    """The texts up to 200,000 characters in all."""
    return [*TEXTS[:4], TEXTS[4][: 200_000 - sum(map(len, TEXTS[:4]))]]


def test_windows_and_counts(corpus, tokenizer):
    query = PackingQuery(context=16, stride=5, limit=7)
    found = preview(corpus, tokenizer, MODEL, query)
    texts = looked_at()
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    ids[3] = ids[3][1:]  # BOS is there already
    assert (found.context, found.n_documents, found.n_left_out) == (16, 5, 0)
    assert found.n_tokens == sum(len(row) + 1 for row in ids if row)
    assert found.chars_per_token == 200_000 / sum(map(len, ids))
    assert [window.document for window in found.windows] == [0, 2, 2, 2, 2, 3, 4]
    first, second = found.windows[1:3]
    assert first.token_ids == (BOS, *ids[2][:15])
    assert all(first.is_new)
    assert second.token_ids == (BOS, *ids[2][5:20])
    assert second.is_new == (False,) * 11 + (True,) * 5
    assert second.tokens == ("<bos>", *"%&$()!?;:#%&$()")
    special = found.windows[5]
    assert special.tokens == ("<bos>", "x", "y", "<|end|>")
    assert special.is_special == (True, False, False, True)


def test_the_whole_corpus_is_estimated_at_the_rate_of_what_was_looked_at(corpus, tokenizer):
    found = preview(corpus, tokenizer, MODEL, PackingQuery())
    assert found.estimated_tokens == pytest.approx(found.n_tokens * 250_062 / 200_000, abs=1)
    assert sum(map(len, TEXTS)) == 250_062


def test_one_window_per_document_counts_what_is_left_out(corpus, tokenizer):
    query = PackingQuery(policy="documents", context=16, bos="never")
    found = preview(corpus, tokenizer, MODEL, query)
    assert [len(window.token_ids) for window in found.windows] == [3, 16, 4, 16]
    assert found.n_tokens == 39
    in_all = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in looked_at()]
    assert found.n_left_out == sum(in_all) - 39


@pytest.mark.parametrize(
    "query",
    [
        PackingQuery(context=129),
        PackingQuery(context=8, stride=8),
        PackingQuery(context=128, stride=128),
    ],
)
def test_what_does_not_fit_is_refused(corpus, tokenizer, query):
    with pytest.raises(InvalidArgument):
        preview(corpus, tokenizer, replace(MODEL, n_ctx=128), query)


def test_a_tokenizer_without_bos(corpus):
    tokenizer = tiny.byte_level_tokenizer(adds_bos=False)
    tokenizer.bos_token = None
    found = preview(corpus, tokenizer, MODEL, PackingQuery())
    assert found.windows[0].tokens == ("a", "b", "c")
    with pytest.raises(InvalidArgument, match="has no BOS"):
        preview(corpus, tokenizer, MODEL, PackingQuery(bos="always"))
