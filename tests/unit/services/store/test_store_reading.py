"""Pages, samples, filters, contexts and documents of a store; the same from other tools."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow.compute as pc
import pytest

from services.errors import Conflict, InvalidArgument, NotFound
from services.store import Selection, StoreSpec
from services.store.interchange import (
    export_neuron_acts,
    export_parquet,
    export_transposed_zarr,
    import_activations,
)
from services.store.loaders import NeuronActs, StoreLoader, TransposedZarr
from tests.made_stores import build, dense, spec

FEATURE = 4


@pytest.fixture(scope="module")
def corpus():
    return dense(600, density=0.3)


@pytest.fixture(scope="module")
def store(corpus, tmp_path_factory):
    return build(tmp_path_factory.mktemp("store"), corpus)


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(min_value=1.0),
        Selection(max_value=1.0),
        Selection(min_value=0.5, max_value=2.0),
        Selection(where={"source": "code"}),
        Selection(where={"source": ["web", "code"], "year": 2003}),
        Selection(where={"source": None}),
        Selection(where=(pc.field("year") > 2001) & (pc.field("source") == "web"), min_value=0.7),
        Selection(where={"source": "nothing"}),
        Selection(where={}),
    ],
)
def test_pages_follow_each_other(store, corpus, selection):
    expected = chosen(store, corpus, selection)
    for limit in (1, 7, 1000):
        found, after = [], None
        while True:
            page = store.page(FEATURE, after=after, limit=limit, selection=selection)
            assert len(page.positions) <= limit
            found += page.positions.tolist()
            after = page.next_after
            if after is None:
                break
        assert found == expected
    assert store.select(FEATURE, selection).positions.tolist() == expected


def chosen(store, corpus, selection) -> list[int]:
    fits = store.tokens(0, 600)
    column = np.zeros(600, np.float32)
    rows = np.repeat(np.arange(600), np.diff(fits.indptr))
    column[rows[fits.features == FEATURE]] = fits.values[fits.features == FEATURE]
    mask = column != 0
    if selection.min_value is not None:
        mask &= column >= selection.min_value
    if selection.max_value is not None:
        mask &= column <= selection.max_value
    if selection.where is not None:
        accepted = [accepts(document, selection.where) for document in corpus.documents]
        mask &= np.array(accepted)[corpus.document_of]
    return np.flatnonzero(mask).tolist()


def accepts(document, where) -> bool:
    if isinstance(where, dict):
        return all(document[k] in (v if isinstance(v, list) else [v]) for k, v in where.items())
    return document["year"] > 2001 and document["source"] == "web"


def test_samples_repeat_with_their_seed(store):
    selection = Selection(min_value=0.5)
    every = set(store.select(FEATURE, selection).positions.tolist())
    a, b, c = (store.sample(FEATURE, 20, seed, selection) for seed in (1, 1, 2))
    assert a.positions.tolist() == b.positions.tolist() != c.positions.tolist()
    assert len(set(a.positions.tolist())) == 20 and set(a.positions.tolist()) <= every
    assert len(store.sample(FEATURE, 10_000, 1, selection)) == len(every)


def test_wrong_filters_are_refused(store):
    with pytest.raises(InvalidArgument, match="no column 'nothing'"):
        store.select(FEATURE, Selection(where={"nothing": 1}))
    with pytest.raises(InvalidArgument, match="filter"):
        store.select(FEATURE, Selection(where={"year": "x"}))
    with pytest.raises(InvalidArgument, match="limit"):
        store.page(FEATURE, limit=0)


def test_contexts_stay_in_their_document(store, corpus):
    for position in range(0, 600, 7):
        own = np.flatnonzero(corpus.document_of == corpus.document_of[position])
        found = store.context(position, 5)
        low, high = max(position - 5, own[0]), min(position + 6, own[-1] + 1)
        assert found.start == low and found.token_ids[found.at] == corpus.token_ids[position]
        np.testing.assert_array_equal(found.token_ids, corpus.token_ids[low:high])
        across = store.context(position, 5, across=True)
        low, high = max(position - 5, 0), min(position + 6, 600)
        np.testing.assert_array_equal(across.token_ids, corpus.token_ids[low:high])


def test_documents(store, corpus):
    assert store.n_documents == len(corpus.documents)
    for number, expected in enumerate(corpus.documents):
        at = np.flatnonzero(corpus.document_of == number)
        found = store.document(number)
        assert (found.start, found.n_tokens, found.name) == (at[0], len(at), expected["name"])
        assert found.n_counted == corpus.counted[at].sum()
        assert found.metadata == {k: expected[k] for k in ("source", "year")}
        values = corpus.values[at]
        table = store.document_features(number).to_pylist()
        assert {row["feature"] for row in table} == set(np.flatnonzero(values.any(0)).tolist())
        for row in table:
            column = values[:, row["feature"]]
            assert row["n"] == np.count_nonzero(column)
            assert row["sum"] == pytest.approx(column.sum(), rel=1e-3)
            assert row["max"] == pytest.approx(column.max(), rel=1e-3)
    numbers = store.documents_where({"source": "web"})
    expected = [i for i, d in enumerate(corpus.documents) if d["source"] == "web"]
    assert numbers.tolist() == expected
    assert store.documents_at(np.arange(600)).tolist() == corpus.document_of.tolist()


def test_arrow_table(store):
    table = store.table([3, 1, FEATURE])
    assert table.column_names == ["feature", "position", "value"]
    found = table.filter(pc.field("feature") == FEATURE)
    own = store.feature(FEATURE)
    assert found.column("position").to_pylist() == own.positions.tolist()
    assert found.column("value").to_pylist() == own.values.tolist()


def test_other_layouts_there_and_back(store, tmp_path):
    export_neuron_acts(store, tmp_path / "neurons")
    export_transposed_zarr(store, tmp_path / "zarr")
    with pytest.raises(Conflict):
        export_neuron_acts(store, tmp_path / "neurons")
    loaders = [
        StoreLoader(store),
        NeuronActs(tmp_path / "neurons", n_samples=600),
        TransposedZarr(tmp_path / "zarr"),
    ]
    for number, loader in enumerate(loaders):
        assert loader.is_available and (loader.n_features, loader.n_samples) == (24, 600)
        assert loader.load(24) is None
        again = import_activations(loader, str(tmp_path / f"store-{number}"), StoreSpec(24))
        assert (again.n_tokens, again.n_documents, again.nnz) == (600, 600, store.nnz)
        for feature in range(24):
            a, b = store.feature(feature), again.feature(feature)
            np.testing.assert_array_equal(a.positions, b.positions)
            np.testing.assert_array_equal(a.values, b.values)


def test_nothing_to_import(tmp_path):
    for loader in (NeuronActs(tmp_path / "none"), TransposedZarr(tmp_path / "none")):
        assert not loader.is_available
        with pytest.raises(NotFound):
            import_activations(loader, str(tmp_path / "store"), spec())


def test_broken_neuron_files_are_refused(tmp_path):
    folder = tmp_path / "neuron_0000"
    folder.mkdir()
    np.save(folder / "acts.npy", np.ones(3, np.float32))
    np.save(folder / "idxs.npy", np.array([5, 4, 6]))
    with pytest.raises(InvalidArgument, match="neuron_0000"):
        NeuronActs(tmp_path, n_samples=9).load(0)


def test_parquet_export(store, tmp_path):
    import pyarrow.parquet as pq

    export_parquet(store, tmp_path / "all.parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["all.parquet"]
    table = pq.read_table(tmp_path / "all.parquet")
    assert table.num_rows == store.nnz
    assert table.equals(store.table(range(24)).cast(table.schema))


def test_the_examples_of_the_documentation(store, tmp_path, docs_examples):
    folder = tmp_path / "store"
    folder.symlink_to(store._storage.url)
    export_parquet(store, tmp_path / "activations.parquet")
    examples = docs_examples("store.md")
    plain = [example for example in examples if "http" not in example]  # those: over REST
    assert len(plain) >= 4
    own = store.feature(7)
    for example in plain:
        names: dict = {}
        source = example.replace('"store', f'"{tmp_path}/store').replace(
            "'store", f"'{tmp_path}/store"
        )
        source = source.replace("'activations.parquet", f"'{tmp_path}/activations.parquet")
        exec(compile(source, "docs/store.md", "exec"), names)
        found = names.get("found")
        if found is not None:
            assert len(found) == len(own)
        if isinstance(found, pl.DataFrame):
            assert found["position"].to_list() == own.positions.tolist()
            assert found["value"].to_list() == own.values.tolist()
        if isinstance(found, list):  # of duckdb
            pairs = zip(*map(np.ndarray.tolist, (own.positions, own.values)), strict=True)
            assert found == list(pairs)
