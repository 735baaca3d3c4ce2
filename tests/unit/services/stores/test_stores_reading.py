"""Features, activations, tokens and documents of a store by its id: against the dense matrix."""

from __future__ import annotations

import io
from dataclasses import asdict
from itertools import pairwise
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest

from services.errors import InvalidArgument, NotFound
from services.store.features import SCALARS
from services.stores import activations
from services.stores.requests import (
    ActivationsQuery,
    ArrowQuery,
    BreakdownQuery,
    CoactivationQuery,
    DocumentFeaturesQuery,
    DocumentQuery,
    DocumentsQuery,
    Scalar,
    StoreFeatureQuery,
    StoreFeaturesQuery,
    TokensQuery,
)
from services.stores.service import Stores
from tests.made_texts import Texts

N, D, FEATURE = 900, 24, 5
SELECTIONS = [
    {},
    {"min_value": 1.0},
    {"max_value": 1.5},
    {"min_value": 0.5, "max_value": 2.0},
    {"meta.source": "code"},
    {"meta.source": "web", "meta.year": "2003"},
    {"where": {"source": ["web", None], "year": [2000, 2001]}, "min_value": 0.7},
    {"where": '{"name": "document 7"}'},
    {"min_value": 1e6},
]


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts(N, density=0.2)


@pytest.fixture(scope="module")
def stores(texts, tmp_path_factory) -> Stores:
    root = tmp_path_factory.mktemp("stores")
    texts.build(root / "one")
    return Stores(str(root))


@pytest.fixture(scope="module")
def values(texts) -> np.ndarray:
    """What the store has to say, as float16 keeps it."""
    return texts.corpus.values.astype(np.float16).astype(np.float32)


def expected_positions(texts, values, asked, feature=FEATURE) -> list[int]:
    column = values[:, feature]
    mask = (column != 0) & (column >= asked.get("min_value", 0))
    mask &= column <= asked.get("max_value", np.inf)
    query = ActivationsQuery.parse(asked)
    for name, accepted in (query.columns or {}).items():
        wanted = [str(v) for v in (accepted if isinstance(accepted, list) else [accepted])]
        fits = np.array([str(document[name]) in wanted for document in texts.corpus.documents])
        mask &= fits[texts.corpus.document_of]
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize("asked", SELECTIONS, ids=str)
def test_pages_of_activations(stores, texts, values, asked):
    expected = expected_positions(texts, values, asked)
    for limit in (1, 7, 1000):
        found, after = [], None
        while True:
            query = ActivationsQuery.parse(asked | {"limit": limit, "after": after})
            page = stores.activations("one", FEATURE, query)
            assert page.n == np.count_nonzero(values[:, FEATURE])
            assert len(page.positions) == len(page.values) == len(page.documents) <= limit
            assert page.values == tuple(values[list(page.positions), FEATURE].tolist())
            assert page.documents == tuple(texts.corpus.document_of[list(page.positions)].tolist())
            found += page.positions
            after = page.next_after
            if after is None:
                break
        assert found == expected


@pytest.mark.parametrize("asked", SELECTIONS, ids=str)
@pytest.mark.parametrize("batch", [7, 2**18])
def test_arrow_streams(stores, texts, values, monkeypatch, asked, batch):
    monkeypatch.setattr(activations, "_BATCH", batch)
    expected = expected_positions(texts, values, asked)
    for documents in (False, True):
        stream = stores.activations_stream(
            "one", FEATURE, ArrowQuery.parse(asked | {"documents": documents})
        )
        assert stream.are_views == (not asked and not documents)
        again = stores.activations_stream("one", FEATURE, ArrowQuery.parse(asked))
        table = pa.ipc.open_stream(b"".join(stream.chunks())).read_all()
        assert table.column("position").to_pylist() == expected
        assert table.schema.types[:2] == [pa.uint32(), pa.float16()]
        assert table.column("value").to_numpy().tolist() == values[expected, FEATURE].tolist()
        assert table.schema.metadata[b"feature"] == b"5"
        if documents:
            numbers = texts.corpus.document_of[expected].tolist()
            assert table.column("document").to_pylist() == numbers
        assert again.table().equals(table.select(["position", "value"]))


def test_a_stream_as_a_file_is_the_same_bytes_at_any_place(stores, monkeypatch):
    monkeypatch.setattr(activations, "_BATCH", 50)
    chunks = b"".join(stores.activations_stream("one", 0, ArrowQuery()).chunks())
    file = stores.activations_stream("one", 0, ArrowQuery()).file()
    assert file.size == len(chunks) and file.read() == chunks and file.read() == b""
    rng = np.random.default_rng(0)
    for start, n in zip(rng.integers(0, file.size, 200), rng.integers(0, 999, 200), strict=True):
        assert file.seek(int(start)) == file.tell() == start
        assert file.read(int(n)) == chunks[start : start + n]
    assert file.seek(-5, io.SEEK_END) == file.size - 5 and file.read(100) == chunks[-5:]
    empty = stores.activations_stream("one", 1, ArrowQuery())
    assert pa.ipc.open_stream(empty.file().read()).read_all().num_rows == 0


def test_a_stream_of_views_copies_nothing(stores):
    (batch,) = stores.activations_stream("one", 0, ArrowQuery()).batches
    found = stores.open("one").feature(0)
    for column, own in zip(batch.columns, (found.positions, found.values), strict=True):
        assert column.buffers()[1].address == own.ctypes.data


def test_samples_repeat_with_their_seed(stores, texts, values):
    every = set(expected_positions(texts, values, {"min_value": 0.5}))
    a, b, c = (
        stores.activations("one", FEATURE, ActivationsQuery(sample=20, seed=s, min_value=0.5))
        for s in (1, 1, 2)
    )
    assert a == b and a.positions != c.positions
    assert len(set(a.positions)) == 20 and set(a.positions) <= every and a.next_after is None
    assert list(a.positions) == sorted(a.positions)
    stream = stores.activations_stream("one", FEATURE, ArrowQuery(sample=20, seed=1, min_value=0.5))
    assert stream.table().column("position").to_pylist() == list(a.positions)
    full = stores.activations("one", FEATURE, ActivationsQuery(sample=10_000))
    assert len(full.positions) == full.n


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"where": "["}, "not JSON"),
        ({"where": "[1]"}, "object"),
        ({"where": "[" * 5000}, "not JSON"),
        ({"where": '{"year": NaN}'}, "not JSON"),
        ({"sample": 3, "limit": 3}, "no pages"),
        ({"limit": 10_001}, "limit"),
        ({"after": 2**32}, "after"),
        ({"min_value": float("nan")}, "min_value"),
        ({"min_value": 2.5, "max_value": 2}, "min_value 2.5 is above max_value 2"),
        ({"unknown": 1}, "unknown"),
        ({"where": {"nothing": 1}}, "no column 'nothing'"),
        ({"where": {"document": 1}}, "no column 'document'"),
        ({"meta.year": "x"}, "is no int64"),
        ({"where": {"year": True}}, "is no int64"),
        ({"where": {"year": 2**63}}, "is no int64"),
        ({"where": {"year": {"a": 1}}}, "is no int64"),
        ({"where": {"source": 3}}, "is no string"),
        ({"where": {"source": [["web"]]}}, "is no string"),
    ],
)
def test_wrong_questions_are_refused(stores, wrong, problem):
    with pytest.raises(InvalidArgument, match=problem):
        stores.activations("one", FEATURE, ActivationsQuery.parse(wrong))


def test_bounds_in_the_wrong_order_are_refused():
    for query in (ActivationsQuery, ArrowQuery):
        assert query.parse({"min_value": "2", "max_value": "2"}).max_value == 2
    with pytest.raises(InvalidArgument, match="no max is from 3 to 2"):
        StoreFeaturesQuery.parse({"range": "n:1..,max:3..2"})
    assert StoreFeaturesQuery.parse({"range": "max:2..2"}).ranges == (("max", 2.0, 2.0),)


def test_scalars_are_those_of_the_table():
    assert get_args(Scalar) == SCALARS


@pytest.mark.parametrize("sort", get_args(Scalar))
@pytest.mark.parametrize("descending", [False, True])
def test_pages_of_features_in_order(stores, values, texts, sort, descending):
    found, offset = [], 0
    while offset is not None:
        query = StoreFeaturesQuery(sort=sort, descending=descending, limit=7, offset=offset)
        page = stores.features("one", query)
        assert page.total == D
        found += page.items
        offset = page.next_offset
    assert sorted(row["feature"] for row in found) == list(range(D))
    known = [row[sort] for row in found if row[sort] is not None]
    assert known == sorted(known, reverse=descending)
    assert [row[sort] for row in found[len(known) :]] == [None] * (D - len(known))
    for row in found:
        column = values[:, row["feature"]]
        fired = column[column != 0].astype(np.float64)
        assert row["n"] == len(fired)
        assert row["token_density"] == len(fired) / texts.corpus.counted.sum()
        assert row["max"] == (fired.max() if len(fired) else None)
        assert row["sum"] == pytest.approx(fired.sum())


def test_ranges_and_dead_features(stores, values):
    n = (values != 0).sum(0)
    largest = values.max(0)
    asked = {"range": "n:100..300, max:..20", "sort": "n"}
    found = [
        row["feature"] for row in stores.features("one", StoreFeaturesQuery.parse(asked)).items
    ]
    assert set(found) == set(np.flatnonzero((n >= 100) & (n <= 300) & (largest <= 20) & (n > 0)))
    dead = stores.features("one", StoreFeaturesQuery(dead=True))
    assert [row["feature"] for row in dead.items] == np.flatnonzero(n == 0).tolist() == [1]
    assert stores.features("one", StoreFeaturesQuery(dead=False)).total == D - 1
    for wrong in ("n", "n:5", "foo:1..2", "n:x..", "n:nan..", "n:..inf"):
        with pytest.raises(InvalidArgument):
            StoreFeaturesQuery.parse({"range": wrong})
    with pytest.raises(InvalidArgument, match="leave out limit"):
        StoreFeaturesQuery.parse({"format": "arrow", "limit": "5"})


def test_the_whole_table_as_a_stream(stores):
    table = stores.features_stream("one").table()
    own = stores.open("one").statistics_table()
    assert table.equals(own.select(table.column_names))
    assert set(own.column_names) - set(table.column_names) == {
        "file", "position_offset", "value_offset",
    }  # fmt: skip


def test_one_feature_with_its_examples(stores, texts, values):
    found = stores.feature("one", FEATURE, StoreFeatureQuery(examples=8, width=3))
    column = values[:, FEATURE]
    order = np.lexsort((np.arange(N), -column))[:8]
    assert [e.context.position for e in found.top] == order.tolist()
    assert [e.value for e in found.top] == column[order].tolist()
    for example in [*found.top, *(e for i in found.intervals for e in i.examples)]:
        context = example.context
        at = context.position - context.start
        assert context.values is not None and context.values[at] == example.value
        assert context.values == tuple(column[context.start : context.start + len(context.tokens)])
    for interval in found.intervals:
        for example in interval.examples:
            assert interval.low <= example.value <= interval.high
    assert sum(found.histogram.counts) == found.n == np.count_nonzero(column)
    assert found.is_final and not found.is_dead and set(found.quantiles) >= {"p01", "p50", "p99"}
    dead = stores.feature("one", 1, StoreFeatureQuery())
    assert dead.is_dead and dead.top == dead.intervals == () and dead.quantiles == {}
    with pytest.raises(NotFound, match="0 to 23"):
        stores.feature("one", 24, StoreFeatureQuery())


def test_what_fires_at_tokens(stores, texts, values):
    found = stores.tokens("one", 40, TokensQuery(count=30, top=3))
    for position, at in enumerate(found, start=40):
        row = values[position]
        order = np.lexsort((np.arange(D), -row))[:3]
        expected = [(int(f), float(row[f])) for f in order if row[f]]
        assert [(f.feature, f.value) for f in at.features] == expected
        assert at.n_features == np.count_nonzero(row)
        assert at.document == texts.corpus.document_of[position]
        assert at.token.position == position
        assert at.token.is_counted == texts.corpus.counted[position]
        assert at.token.starts_document == texts.corpus.starts[position]
    assert len(stores.tokens("one", N - 2, TokensQuery(count=10))) == 2
    for position in (N, 2**32 - 1):
        with pytest.raises(NotFound, match="0 to 899"):
            stores.tokens("one", position, TokensQuery())


def test_documents(stores, texts, values):
    documents = texts.corpus.documents
    found, offset = [], 0
    while offset is not None:
        page = stores.documents("one", DocumentsQuery(limit=11, offset=offset))
        assert page.total == len(documents)
        found += page.items
        offset = page.next_offset
    assert [d.name for d in found] == [d["name"] for d in documents]
    assert [d.metadata["source"] for d in found] == [d["source"] for d in documents]
    web = stores.documents("one", DocumentsQuery.parse({"meta.source": "web", "limit": 4}))
    numbers = [i for i, d in enumerate(documents) if d["source"] == "web"]
    assert ([d.document for d in web.items], web.total) == (numbers[:4], len(numbers))
    assert stores.documents("one", DocumentsQuery(offset=10_000)).items == ()


def test_the_text_of_a_document(stores, texts):
    number = int(np.argmax(np.bincount(texts.corpus.document_of)))
    at = np.flatnonzero(texts.corpus.document_of == number)
    whole = stores.document("one", number, DocumentQuery())
    spelled = b"".join(texts.pieces[t] for t in at)
    assert whole.text == "<bos>" + spelled.decode("utf-8", "replace")
    assert [t.position for t in whole.tokens] == at.tolist() and whole.next_offset is None
    piece = stores.document("one", number, DocumentQuery(offset=2, limit=3))
    assert piece.tokens == whole.tokens[2:5] and piece.next_offset == 5
    assert stores.document("one", number, DocumentQuery(offset=10_000)).tokens == ()
    with pytest.raises(NotFound, match="documents 0 to"):
        stores.document("one", 10_000, DocumentQuery())


@pytest.mark.parametrize("sort", ["max", "n", "sum"])
def test_features_of_a_document(stores, texts, values, sort):
    rows = values[texts.corpus.document_of == 3].astype(np.float64)
    table = stores.document_features("one", 3, DocumentFeaturesQuery(sort=sort, limit=500))
    measures = {"max": rows.max(0), "n": (rows != 0).sum(0), "sum": rows.sum(0)}
    fired = np.flatnonzero(rows.any(0))
    expected = fired[np.lexsort((fired, -measures[sort][fired]))]
    assert table.column("feature").to_pylist() == expected.tolist()
    for name, measure in measures.items():
        assert table.column(name).to_pylist() == pytest.approx(measure[expected].tolist())


def test_partners_and_breakdowns(stores, texts, values):
    fires = values != 0
    found = stores.coactivation("one", FEATURE, CoactivationQuery(measure="jaccard", top=5))
    both = (fires & fires[:, [FEATURE]]).sum(0)
    union = (fires | fires[:, [FEATURE]]).sum(0)
    jaccard = np.where(np.arange(D) == FEATURE, -1, both / np.maximum(union, 1))
    assert found.feature.tolist() == np.lexsort((np.arange(D), -jaccard))[:5].tolist()
    table = stores.breakdown("one", FEATURE, BreakdownQuery(column="source", limit=2))
    assert table.num_rows == 2
    for row in table.to_pylist():
        mine = np.array([d["source"] == row["value"] for d in texts.corpus.documents])
        mine = mine[texts.corpus.document_of]
        assert row["n"] == fires[mine, FEATURE].sum()
        assert row["n_counted"] == texts.corpus.counted[mine].sum()
    with pytest.raises(InvalidArgument, match="source, year"):
        stores.breakdown("one", FEATURE, BreakdownQuery(column="name"))


def test_health_and_summary(stores, texts, values):
    health = asdict(stores.health("one"))
    assert (health["n_tokens"], health["nnz"]) == (N, np.count_nonzero(values))
    assert health["n_counted"] == texts.corpus.counted.sum()
    assert health["is_complete"] and health["has_vocabulary"] and health["spec"]["d_sae"] == D
    summary = stores.summary("one")
    density = (values != 0).sum(0) / texts.corpus.counted.sum()
    assert (summary.n_features, summary.n_dead) == (D, 1)
    logs, edges = np.log10(density[density > 0]), summary.density_edges
    expected = [sum(low <= x < high for x in logs) for low, high in pairwise(edges)]
    expected[-1] += sum(logs == 0)
    assert list(summary.density_counts) == expected
