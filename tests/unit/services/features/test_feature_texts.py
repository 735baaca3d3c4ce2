"""Derived texts and token counts against plain Python, on tokens that cut characters anywhere."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow.parquet as pq
import pytest

from services.features import gathering
from services.features.texts import FeatureTexts
from services.store import StoreWriter
from services.stores.reading import Reading
from tests.made_stores import build, dense, digests, fill, spec
from tests.made_texts import BOS, Texts, shown

STORE = "one"


@pytest.fixture(scope="module")
def corpus():
    return Texts(700, density=0.2)


@pytest.fixture(scope="module")
def reading(corpus, tmp_path_factory):
    folder = corpus.build(tmp_path_factory.mktemp("stores") / STORE)
    return Reading.open(STORE, str(folder))


@pytest.fixture
def texts(tmp_path):
    return FeatureTexts(tmp_path)


def strongest(corpus, feature):
    """Positions of the 32 largest activations."""
    values = corpus.corpus.values[:, feature].astype(np.float16)
    return sorted(np.flatnonzero(values).tolist(), key=lambda at: (-values[at], at))[:32]


def expected_tokens(corpus, feature):
    return list(dict.fromkeys(shown(corpus.pieces[at]) for at in strongest(corpus, feature)))[:10]


def expected_examples(corpus, feature):
    """The texts, and where the first one has the token that fires."""
    found, documents = {}, corpus.corpus.document_of
    for at in strongest(corpus, feature):
        found.setdefault(int(documents[at]), at)
    return [_around(corpus, at) for at in list(found.values())[:3]]


def _around(corpus, at):
    documents = corpus.corpus.document_of
    near = range(max(at - 10, 0), min(at + 11, len(documents)))
    pieces = [(i, corpus.pieces[i]) for i in near if documents[i] == documents[at]]
    whole = b"".join(piece for _, piece in pieces)
    before = sum(len(piece) for i, piece in pieces if i < at)
    text = whole.decode("utf-8", "replace")
    # The bytes that each shown character is made of: those of the token are marked.
    marked = [i for i, span in enumerate(_spans(whole)) if _meet(span, before, corpus.pieces[at])]
    left = len(text) - len(text.lstrip("\ufffd"))
    shown_text = text.strip("\ufffd")
    inside = [i - left for i in marked if 0 <= i - left < len(shown_text)]
    return shown_text, (min(inside), max(inside) + 1) if inside else None


def _spans(whole):
    """First byte and the byte after, of each character of the decoded text."""
    at = 0
    while at < len(whole):
        for length in range(1, 5):
            piece = whole[at : at + length].decode("utf-8", "replace")
            if piece != "\ufffd" and len(piece) == 1:
                break
        else:
            length = _broken(whole, at)
        yield at, at + length
        at += length


def _broken(whole, at):
    """How many bytes one replacement character stands for."""
    for length in range(1, 5):
        if len(whole[at : at + length + 1].decode("utf-8", "replace")) > 1:
            return length
    return len(whole) - at


def _meet(span, before, piece):
    return span[0] < before + len(piece) and before < span[1]


def test_top_tokens_and_examples_are_those_around_the_strongest_activations(corpus, reading, texts):
    assert texts.make(reading)
    found = texts.get(reading)
    tops, examples = found.top_tokens.to_pylist(), found.examples.to_pylist()
    marks = list(zip(found.mark_start.to_pylist(), found.mark_stop.to_pylist(), strict=True))
    for feature in range(corpus.corpus.values.shape[1]):
        assert tops[feature] == expected_tokens(corpus, feature)
        sought = expected_examples(corpus, feature)
        assert examples[feature] == [text for text, _ in sought]
        mark = sought[0][1] if sought else None
        assert marks[feature] == (mark or (None, None)), feature
    assert tops[1] == examples[1] == []  # it is dead


def test_tokens_are_counted_where_they_count(corpus, reading, texts):
    dense_ = corpus.corpus
    ids, documents = dense_.token_ids[dense_.counted], dense_.document_of[dense_.counted]
    count = Counter(ids.tolist())
    in_documents = Counter(i for i, _ in {*zip(ids.tolist(), documents.tolist(), strict=True)})
    found = texts.tokens(reading)
    assert {i: int(n) for i, n in enumerate(found.count) if n} == count
    assert {i: int(n) for i, n in enumerate(found.documents) if n} == in_documents
    assert found.count[BOS] == 0
    assert (found.n_counted, found.n_documents) == (len(ids), int(dense_.starts.sum()))
    assert texts.tokens(reading) is found  # kept


@pytest.mark.parametrize(("block", "at_once"), [(7, 5), (1, 100), (64, 1), (10_000, 24)])
def test_whatever_is_read_at_once_the_files_are_the_same(
    reading, texts, tmp_path, monkeypatch, block, at_once
):
    texts.make(reading)
    monkeypatch.setattr(gathering, "BLOCK", block)
    monkeypatch.setattr(gathering, "AT_ONCE", at_once)
    other = FeatureTexts(tmp_path / "other")
    steps = []
    assert other.make(reading, progress=lambda done, total: steps.append((done, total)))
    assert digests(tmp_path, f"derived/features/{STORE}") == {
        name.removeprefix("other/"): digest for name, digest in digests(tmp_path, "other").items()
    }
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1]


def test_a_store_that_fills_has_no_texts_yet(texts, tmp_path):
    corpus = dense(400)
    fill(StoreWriter.open_for_resume(str(tmp_path / "s"), spec()), corpus, stop=300)
    reading = Reading.open("s", str(tmp_path / "s"))
    assert not texts.make(reading)
    assert texts.soon(reading) is None
    assert texts.tokens(reading) is None


def test_without_a_vocabulary_tokens_are_numbers(texts, tmp_path):
    corpus = dense(300)
    build(tmp_path / "s", corpus)
    reading = Reading.open("s", str(tmp_path / "s"))
    found = texts.soon(reading)
    at = int(np.argmax(corpus.values[:, 5].astype(np.float16)))
    assert found.top_tokens[5].as_py()[0] == f"[{corpus.token_ids[at]}]"
    assert not any(any(items) for items in found.examples.to_pylist())


def test_what_is_stopped_leaves_nothing_and_what_is_broken_is_made_anew(reading, texts, tmp_path):
    assert not texts.make(reading, stop=lambda: True)
    assert texts.get(reading) is None
    texts.make(reading)
    (path,) = (p for p in tmp_path.glob("derived/features/*/*.parquet") if "-" not in p.name)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert texts.get(reading) is None
    assert texts.soon(reading) is not None
    assert path.read_bytes() == whole
    (path.parent / "0.parquet").write_bytes(b"of an earlier version")
    path.unlink()
    texts.make(reading)
    assert {p.name for p in path.parent.glob("*.parquet")} == {
        path.name,
        f"{path.stem}-tokens.parquet",
    }
    texts.forget(STORE)
    assert not path.parent.exists()


def test_many_who_ask_at_once_wait_for_one_making(reading, tmp_path, monkeypatch):
    texts, made, real = FeatureTexts(tmp_path), [], gathering.gather

    def counted(*arguments):
        made.append(threading.get_ident())
        return real(*arguments)

    monkeypatch.setattr("services.features.texts.gather", counted)
    with ThreadPoolExecutor(6) as executor:
        found = list(executor.map(lambda _: texts.soon(reading, 30), range(6)))
    assert all(item is not None for item in found)
    assert len(made) == 1


def test_the_files_are_read_by_others(reading, texts, tmp_path):
    texts.make(reading)
    (path,) = (p for p in tmp_path.glob("derived/features/*/*.parquet") if "-" not in p.name)
    assert pq.read_table(path).schema.equals(gathering.SCHEMA)
