"""Tokens as text and text as tokens: against the bytes of each document, joined and looked
through one by one.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from services.errors import NotFound, Unsupported
from services.stores import finding
from services.stores.finding import find
from services.stores.reading import Reading
from services.stores.requests import ContextQuery, TextQuery
from services.stores.search import search
from services.stores.service import Stores
from services.stores.vocabulary import SCHEMA, Vocabulary
from tests.made_stores import build, dense
from tests.made_texts import Texts

QUERIES = [
    "a",
    "ab",
    "A b",
    "b ",
    "é",
    "猫",
    "😀",
    "犬😀",
    "aé",
    "  ",
    "abababababab",
    "ß",
    "Ba",
    "zz",
]


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts()


@pytest.fixture(scope="module")
def folder(texts, tmp_path_factory):
    return texts.build(tmp_path_factory.mktemp("stores") / "one")


@pytest.fixture
def reading(folder) -> Reading:
    return Reading.open("one", str(folder))


@pytest.mark.parametrize("block", [3, 17, 64, 2**18])
@pytest.mark.parametrize("case_sensitive", [False, True])
def test_every_place_is_found_once(texts, reading, monkeypatch, block, case_sensitive):
    monkeypatch.setattr(finding, "BLOCK", block)
    for text in QUERIES:
        found = find(
            reading.store, reading.required_vocabulary, text, case_sensitive=case_sensitive
        )
        pairs = list(zip(found.first.tolist(), found.last.tolist(), strict=True))
        assert pairs == texts.matches(text, case_sensitive), text
        assert found.searched_to == reading.store.n_tokens


def test_the_queries_are_found_within_and_across_tokens(texts):
    found = {text: texts.matches(text) for text in QUERIES}
    assert sum(map(bool, found.values())) >= 10 and not found["zz"]
    assert any(last > first for first, last in found["😀"])  # a character over several tokens
    assert any(last == first for first, last in found["😀"])


@pytest.mark.parametrize("most", [1, 2, 5, 30])
def test_a_search_goes_on_where_it_stopped(texts, reading, monkeypatch, most):
    monkeypatch.setattr(finding, "BLOCK", 50)
    for text in ("a", "ab", "猫"):
        found, start = [], 0
        while start < reading.store.n_tokens:
            piece = find(reading.store, reading.required_vocabulary, text, start=start, most=most)
            found += list(zip(piece.first.tolist(), piece.last.tolist(), strict=True))
            assert piece.searched_to > start
            start = piece.searched_to
        assert found == texts.matches(text)


def test_a_search_that_takes_long_goes_on_later(texts, reading, monkeypatch):
    monkeypatch.setattr(finding, "BLOCK", 50)
    found, start, pieces = [], 0, 0
    while start < reading.store.n_tokens:
        piece = find(reading.store, reading.required_vocabulary, "ab", start=start, seconds=-1)
        found += piece.first.tolist()
        start, pieces = piece.searched_to, pieces + 1
    assert pieces > 10 and found == [first for first, _ in texts.matches("ab")]


@pytest.mark.parametrize("text", ["ab", "猫", "a"])
def test_features_of_a_search_by_brute_force(texts, reading, text):
    result = search(reading, TextQuery(text=text, limit=5, features=500, min_n=1))
    matches, values = texts.matches(text), texts.corpus.values
    tokens = sorted({t for first, last in matches for t in range(first, last + 1)})
    tokens = [t for t in tokens if texts.corpus.counted[t]]
    assert (result.n_matches, result.n_tokens) == (len(matches), len(tokens))
    assert (result.searched, result.next_start) == (900, None)
    density = (values != 0).sum(0) / texts.corpus.counted.sum()
    n = (values[tokens] != 0).sum(0)
    expected = {f: n[f] / len(tokens) / density[f] for f in np.flatnonzero(n)}
    assert {f.feature for f in result.features} == set(expected)
    lifts = [f.lift for f in result.features]
    assert lifts == sorted(lifts, reverse=True)
    for found in result.features:
        column = values[:, found.feature]
        assert found.lift == pytest.approx(expected[found.feature])
        assert (found.n, found.share) == (n[found.feature], n[found.feature] / len(tokens))
        assert found.max == pytest.approx(column[tokens].max(), rel=1e-3)
        fired = [column[first : last + 1].any() for first, last in matches]
        assert found.n_matches == sum(fired)
    assert [(m.start, m.stop - 1) for m in result.matches] == matches[:5]
    for match in result.matches:
        assert text.lower() in (match.context.text or "").lower()
        assert match.document == texts.corpus.document_of[match.start]


def test_rare_features_are_left_out_of_a_search(texts, reading):
    usual = search(reading, TextQuery(text="a", features=500))
    least = max(2, np.ceil(usual.n_tokens / 20))
    assert usual.features and min(f.n for f in usual.features) >= least
    assert search(reading, TextQuery(text="a", features=3, min_n=1)).features[2:]
    nothing = search(reading, TextQuery(text="zz"))
    assert (nothing.n_matches, nothing.matches, nothing.features) == (0, (), ())


def test_contexts_read_right_where_characters_are_cut(texts, reading, folder):
    stores = Stores(str(folder.parent))
    for position in range(0, 900, 11):
        found = stores.context("one", position, ContextQuery(width=6, feature=0))
        tokens = range(found.start, found.start + len(found.token_ids))
        spelled = [texts.pieces[t] for t in tokens]
        whole = b"".join(spelled).decode("utf-8", "replace")
        assert "".join(found.pieces) == found.text
        assert (found.text or "").replace("<bos>", "") == whole
        inner = b"".join(spelled).decode("utf-8", "ignore")
        assert len(whole.strip("\ufffd")) == len(inner)  # nothing within is replaced
        assert found.values == tuple(texts.corpus.values[t, 0].astype(np.float16) for t in tokens)
        assert {texts.corpus.document_of[t] for t in tokens} == {found.document}
    across = stores.context("one", 450, ContextQuery(width=100, across=True))
    assert len(across.tokens) == 201


def test_a_store_without_vocabulary_has_ids_only(tmp_path):
    build(tmp_path / "bare", dense(100))
    stores = Stores(str(tmp_path))
    found = stores.context("bare", 3, ContextQuery(width=1))
    assert found.text is None and found.pieces == () and set(found.tokens) == {None}
    assert not stores.health("bare").has_vocabulary
    with pytest.raises(Unsupported, match=r"vocabulary\.parquet"):
        stores.search("bare", TextQuery(text="a"))
    with pytest.raises(Unsupported, match="beside"):
        stores.vocabulary("bare")
    with pytest.raises(NotFound):
        stores.context("bare", 100, ContextQuery())


def test_ids_that_no_vocabulary_lists():
    rows = {"token_id": [5, 2], "text": ["x", "<s>"], "bytes": [b"x", b""], "is_special": [0, 1]}
    found = Vocabulary(pa.table(rows).cast(SCHEMA))
    ids = np.array([2, 5, 3, 9, 5], np.uint32)
    assert found.texts(ids) == ["<s>", "x", "[3]", "[9]", "x"]
    assert found.joined(ids) == "<s>xx"
    assert found.joined(ids[:0]) == "" and found.texts(ids[:0]) == []
    assert found.ids_by_text() == {"<s>": 2, "x": 5} and found.texts_by_id() == {
        "5": "x",
        "2": "<s>",
    }
    none = Vocabulary(SCHEMA.empty_table())
    assert none.texts(ids[:1]) == ["[2]"] and none.joined(ids) == ""
