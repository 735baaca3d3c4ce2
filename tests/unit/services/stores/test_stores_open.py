"""Stores that fill, are merged, damaged, or taken away while they are read; and their ids."""

from __future__ import annotations

import gc
import shutil
import threading
import time
import weakref

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.errors import NotFound, Unavailable
from services.store import DamagedStore, StoreWriter
from services.store.verify import rebuild
from services.stores import opened
from services.stores.opened import OpenStores
from services.stores.reading import Reading
from services.stores.requests import (
    ActivationsQuery,
    ArrowQuery,
    DocumentsQuery,
    StoreFeatureQuery,
    StoreFeaturesQuery,
    TextQuery,
    TokensQuery,
)
from services.stores.service import Stores
from tests.made_stores import build, dense, fill, spec
from tests.made_texts import Texts


@pytest.fixture
def at_once(monkeypatch):
    """Newer versions show without waiting."""
    monkeypatch.setattr(opened, "_LOOK_S", 0.0)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A store to make copies of."""
    folder = tmp_path_factory.mktemp("stores") / "one"
    build(folder, dense(200))
    return folder


@pytest.mark.parametrize(
    "store_id", ["", ".", "..", "../one", "a/b", "/etc", "a\\b", "-a", "a b", "a\n", "é", "a" * 201]
)
def test_ids_that_no_store_can_have(one, store_id):
    stores = Stores(str(one.parent / "below"))
    with pytest.raises(NotFound):
        stores.open(store_id)
    with pytest.raises(NotFound):
        stores.url(store_id)


def test_the_stores_that_are_there(one, tmp_path):
    stores = Stores(str(tmp_path / "stores"))
    assert stores.list() == ()
    for name in ("b", "a"):
        shutil.copytree(one, tmp_path / "stores" / name)
    (tmp_path / "stores" / "empty").mkdir()
    (tmp_path / "stores" / "file").write_text("x")
    assert stores.list() == ("a", "b")
    with pytest.raises(NotFound, match="'empty'"):
        stores.health("empty")


def test_a_store_anywhere_that_fsspec_reads():
    url = f"memory://stores-{time.monotonic_ns()}"
    corpus = dense(300)
    build(f"{url}/one", corpus)
    stores = Stores(url)
    assert stores.list() == ("one",)
    page = stores.activations("one", 0, ActivationsQuery(limit=500))
    assert list(page.positions) == np.flatnonzero(corpus.values[:, 0]).tolist()
    assert stores.features("one", StoreFeaturesQuery()).total == 24
    assert stores.feature("one", 3, StoreFeatureQuery()).n == np.count_nonzero(corpus.values[:, 3])
    assert stores.activations_stream("one", 0, ArrowQuery()).table().num_rows == len(page.positions)
    with pytest.raises(NotFound):
        stores.health("two")


def test_the_one_used_longest_ago_is_closed(one, tmp_path):
    for name in "abc":
        shutil.copytree(one, tmp_path / name)
    stores = OpenStores(lambda name: Reading.open(name, str(tmp_path / name)), most=2)
    a, b = stores.get("a"), stores.get("b")
    assert stores.get("a") is a
    stores.get("c")
    assert stores.get("a") is a and stores.get("b") is not b
    stores.forget("a")
    assert stores.get("a") is not a


def test_a_store_is_looked_at_once_a_second(tmp_path):
    corpus, url = dense(400), tmp_path / "one"
    writer = StoreWriter.open_for_resume(str(url), spec())
    fill(writer, corpus, stop=200)
    stores = Stores(str(tmp_path))
    before = stores.open("one").n_tokens
    assert 0 < before <= 200
    fill(writer, corpus, stop=350)
    assert stores.open("one").n_tokens == before
    time.sleep(1.05)
    assert stores.open("one").n_tokens > before


def test_a_version_that_is_read_no_more_closes_its_files_at_once(tmp_path, at_once):
    corpus, url = dense(400), tmp_path / "one"
    writer, stores = StoreWriter.open_for_resume(str(url), spec()), Stores(str(tmp_path))
    fill(writer, corpus, stop=200)
    gc.disable()
    try:
        stores.tokens("one", 0, TokensQuery(count=100))
        stores.features("one", StoreFeaturesQuery())
        old = weakref.ref(stores.open("one"))
        assert old() is not None
        fill(writer, corpus, stop=350)
        assert stores.health("one").version > 1 and old() is None
    finally:
        gc.enable()


def test_a_store_is_browsed_while_it_fills(tmp_path, at_once):
    texts, url = Texts(600), tmp_path / "one"
    corpus = texts.corpus
    values = corpus.values.astype(np.float16).astype(np.float32)
    writer, stores, seen = StoreWriter.open_for_resume(str(url), spec()), Stores(str(tmp_path)), []
    for stop in (37 * 6, 37 * 11, 37 * 16):
        fill(writer, corpus, stop=stop)
        if stop == 37 * 11:
            texts.write_vocabulary(url)
        n = stores.health("one").n_tokens
        seen.append(n)
        page = stores.activations("one", 5, ActivationsQuery())
        assert list(page.positions) == np.flatnonzero(values[:n, 5]).tolist()
        listed = stores.features("one", StoreFeaturesQuery(sort="n", descending=True))
        counts = (values[:n] != 0).sum(0)
        assert [f["n"] for f in listed.items] == sorted(counts.tolist(), reverse=True)
        assert listed.items[0]["max"] is None and listed.total == 24
        one = stores.feature("one", 5, StoreFeatureQuery())
        assert not one.is_final and one.n == counts[5] and one.top
        assert stores.summary("one").n_dead == (counts == 0).sum()
        assert len(stores.tokens("one", n - 1, TokensQuery(count=5))) == 1
        assert stores.documents("one", DocumentsQuery()).total == corpus.starts[:n].sum()
        stream = stores.activations_stream("one", 5, ArrowQuery(documents=True))
        assert stream.table().column("position").to_pylist() == list(page.positions)
        with pytest.raises(Unavailable, match="complete"):
            stores.features("one", StoreFeaturesQuery(sort="max"))
        with pytest.raises(Unavailable):
            stores.features_stream("one")
    assert seen == sorted(set(seen))
    found = stores.search("one", TextQuery(text="ab", limit=200))
    expected = [first for first, last in texts.matches("ab") if last < seen[-1]]
    assert [match.start for match in found.matches] == expected
    fill(writer, corpus)
    writer.finish()
    assert stores.health("one").is_complete
    assert stores.features("one", StoreFeaturesQuery(sort="max")).items[0]["max"] is not None


ASKED = {
    "features/g0001/00*.arrow": lambda s: s.activations("one", 0, ActivationsQuery()),
    "features/g0001/features.parquet": lambda s: s.features("one", StoreFeaturesQuery()),
    "features/g0001/documents.parquet": lambda s: s.documents("one", DocumentsQuery()),
    "shards/0/part-000000.arrow": lambda s: s.tokens("one", 0, TokensQuery()),
}
DAMAGES = {
    "cut": lambda content: content[: len(content) // 3],
    "empty": lambda content: b"",
    "overwritten": lambda content: b"\0" * len(content),
}


# An Arrow file that is overwritten reads as other activations: that is for verify to find.
@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        (pattern, damage)
        for pattern in ASKED
        for damage in ("missing", *DAMAGES)
        if damage != "overwritten" or pattern.endswith(".parquet")
    ],
)
def test_the_damaged_file_is_named(one, tmp_path, pattern, damage):
    shutil.copytree(one, tmp_path / "one")
    path = min((tmp_path / "one").glob(pattern))
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    named = str(path.relative_to(tmp_path / "one"))
    with pytest.raises(DamagedStore, match=r"rebuild|corpus") as raised:
        ASKED[pattern](Stores(str(tmp_path)))
    assert raised.value.details["path"] == named and str(tmp_path) not in raised.value.message


def test_a_damaged_vocabulary_or_manifest_is_named(tmp_path):
    texts = Texts(200)
    texts.build(tmp_path / "one")
    (tmp_path / "one" / "vocabulary.parquet").write_bytes(b"PAR1")
    stores = Stores(str(tmp_path))
    with pytest.raises(DamagedStore, match=r"vocabulary\.parquet"):
        stores.search("one", TextQuery(text="a"))
    for path in (tmp_path / "one" / "log").iterdir():
        path.write_text("{}")
    with pytest.raises(DamagedStore, match="log/"):
        Stores(str(tmp_path)).health("one")


def test_a_folder_that_is_gone(one, tmp_path, at_once):
    shutil.copytree(one, tmp_path / "one")
    stores = Stores(str(tmp_path))
    assert stores.health("one").n_tokens == 200
    shutil.rmtree(tmp_path / "one")
    with pytest.raises(NotFound, match="no store 'one'"):
        stores.health("one")
    build(tmp_path / "one", dense(70))
    assert stores.health("one").n_tokens == 70


def test_files_that_were_merged_away_are_read_where_they_are_now(tmp_path):
    corpus = dense(300)
    build(tmp_path / "one", corpus)
    stores = Stores(str(tmp_path))
    before = stores.open("one")
    rebuild(str(tmp_path / "one"))  # the files of the old generation are no longer there
    assert before.manifest.generation is not None
    shutil.rmtree(tmp_path / "one" / before.manifest.generation.folder)
    rebuild(str(tmp_path / "one"))
    page = stores.activations("one", 0, ActivationsQuery(limit=500))
    assert list(page.positions) == np.flatnonzero(corpus.values[:, 0]).tolist()


def test_many_readers_while_a_writer_seals_and_merges(tmp_path, at_once):
    corpus, url = dense(1200), tmp_path / "one"
    expected = {f: np.flatnonzero(corpus.values[:, f]) for f in range(24)}
    stores, wrong, done = Stores(str(tmp_path)), [], threading.Event()
    writer = StoreWriter.open_for_resume(str(url), spec())
    fill(writer, corpus, stop=185)

    def read(seed: int) -> None:
        rng = np.random.default_rng(seed)
        try:
            while not done.is_set():
                feature = int(rng.integers(24))
                page = stores.activations("one", feature, ActivationsQuery(limit=10_000))
                assert list(page.positions) == expected[feature][: len(page.positions)].tolist()
                stores.feature("one", feature, StoreFeatureQuery(examples=2, width=1))
                stores.features("one", StoreFeaturesQuery(limit=3))
                stores.tokens("one", int(rng.integers(100)), TokensQuery(count=3))
        except Exception as error:
            wrong.append(error)

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for reader in readers:
        reader.start()
    for stop in range(37 * 7, 1200, 37 * 5):
        fill(writer, corpus, stop=stop)
        time.sleep(0.02)
    fill(writer, corpus)
    writer.finish()
    time.sleep(0.2)
    done.set()
    for reader in readers:
        reader.join(30)
    assert wrong == []
    assert stores.health("one").is_complete


def test_a_vocabulary_of_another_shape_is_damage(one, tmp_path):
    shutil.copytree(one, tmp_path / "one")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "one" / "vocabulary.parquet")
    with pytest.raises(DamagedStore, match="KeyError"):
        Stores(str(tmp_path)).vocabulary("one")
