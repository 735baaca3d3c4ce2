"""The whole chain on a model, an SAE and a corpus of which everything is known beforehand: every
statistic of the store is exactly what was planted.
"""

from __future__ import annotations

import numpy as np
import pytest

from services.container import Container
from services.corpus.requests import AddCorpus, Packing
from services.extraction.requests import StartExtraction
from services.features.requests import FeatureTableQuery
from services.settings import Settings
from services.store import ActivationStore
from services.types import JobStatus
from tests import planted

TIMEOUT_S = 120


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("planted")
    planted.save_model(root)
    planted.save_sae(root)
    planted.save_corpus(root / "letters.jsonl", planted.corpus())
    return root


@pytest.fixture(scope="module")
def container(home):
    url = f"sqlite:///{home / 'actiscope.sqlite'}"
    made = Container(Settings(home=home, database_url=url, preload=False), any_folder=True)
    made.jobs.work()
    yield made
    made.close()


def ended(container, job_id):
    view = container.jobs.wait(job_id, TIMEOUT_S)
    assert view.status is JobStatus.SUCCEEDED, (view, container.jobs.log(job_id))
    return view


@pytest.fixture(scope="module")
def extraction(container, home):
    adding = AddCorpus(path=str(home / "letters.jsonl"), text_column="text")
    corpus_id = ended(container, container.corpora.add(adding).job_id).result["corpus_id"]
    request = StartExtraction(
        sae_ids=(planted.SAE,),
        corpus_id=corpus_id,
        packing=Packing(context=planted.CONTEXT, stride=planted.STRIDE, bos="always"),
        batch_tokens=100,
    )
    (view,) = container.extractions.start(request)
    ended(container, view.job_id)
    return container.extractions.get(view.extraction_id)


@pytest.fixture(scope="module")
def store(container, extraction):
    return ActivationStore.open(container.stores.url(extraction.extraction_id))


@pytest.fixture(scope="module")
def expected():
    return planted.expected(planted.corpus())


@pytest.fixture(params=range(planted.D_SAE))
def feature(request):
    return request.param


def test_tokens_and_documents_are_those_of_the_corpus(store, expected, container, extraction):
    rows = store.tokens(0, store.n_tokens)
    assert store.n_tokens == len(expected.tokens)
    assert np.flatnonzero(rows.starts).tolist() == expected.starts
    assert rows.counted.tolist() == [token != "" for token in expected.tokens]
    shown = container.stores.vocabulary(extraction.extraction_id).texts(rows.token_ids)
    assert shown == [token or "<bos>" for token in expected.tokens]
    table = store.documents().to_pylist()
    assert [row["start"] for row in table] == expected.starts
    assert [(row["name"], row["group"], row["year"]) for row in table] == [
        (d.name, d.group, d.year) for d in expected.documents
    ]


def test_each_activation_is_where_it_was_planted_and_as_strong(store, expected, feature):
    found, fired = store.feature(feature), expected.features[feature]
    assert found.positions.tolist() == fired.positions
    assert found.values.tolist() == fired.values


def test_densities_documents_and_idf(store, expected, feature):
    found, fired = store.statistics(feature), expected.features[feature]
    documents = len(set(fired.documents))
    assert (found.n, found.n_documents) == (len(fired.positions), documents)
    assert found.token_density == len(fired.positions) / expected.n_counted
    assert found.document_density == documents / len(expected.documents)
    idf = expected.idf(feature)
    assert found.idf is None if idf is None else found.idf == pytest.approx(idf, rel=1e-12)
    assert found.max == max(fired.values, default=None)
    assert found.histogram.counts.sum() == len(fired.positions)


def test_the_strongest_examples(store, expected, feature):
    found, fired = store.statistics(feature), expected.features[feature]
    pairs = sorted(zip(fired.values, fired.positions, strict=True), key=lambda p: (-p[0], p[1]))
    assert found.top_positions.tolist() == [position for _, position in pairs[:32]]
    assert found.top_values.tolist() == [value for value, _ in pairs[:32]]


def test_what_fires_together(store, expected, feature):
    """Always the two on X, ON_K within ON_J_OR_K, and everything with ALWAYS; nothing else."""
    found, own = store.coactivation(feature), set(expected.features[feature].positions)
    counts = {
        other: len(own & set(fired.positions))
        for other, fired in expected.features.items()
        if other != feature and own & set(fired.positions)
    }
    order = sorted(counts, key=lambda other: (-counts[other], other))
    assert found.feature.tolist() == order
    assert found.count.tolist() == [counts[other] for other in order]
    if feature == planted.ON_X:
        assert order == [planted.ALSO_ON_X, planted.ALWAYS]
        assert found.jaccard[0] == 1
        both = [expected.features[i] for i in (feature, planted.ALSO_ON_X)]
        dense = np.zeros((2, len(expected.tokens)))
        for row, fired in zip(dense, both, strict=True):
            row[fired.positions] = fired.values
        counted = [token != "" for token in expected.tokens]
        assert found.correlation[0] == pytest.approx(np.corrcoef(dense[:, counted])[0, 1])


def test_a_feature_of_one_group_is_in_no_other(store, expected, feature):
    rows = {row["value"]: row for row in store.breakdown(feature, "group").to_pylist()}
    assert set(rows) == set(planted.GROUPS)
    fired = expected.features[feature]
    for group, row in rows.items():
        numbers = {i for i, d in enumerate(expected.documents) if d.group == group}
        n = sum(number in numbers for number in fired.documents)
        counted = sum(len(expected.documents[i].text) for i in numbers)
        assert (row["n_documents"], row["n_counted"], row["n"]) == (len(numbers), counted, n)
        assert row["documents_fired"] == len(numbers & set(fired.documents))
        if feature == planted.ON_K:
            assert (n > 0) == (group == planted.K_GROUP)


def test_the_dead_are_those_that_never_fire_and_that_on_bos(store, extraction):
    assert store.dead().tolist() == planted.DEAD_ONES
    assert extraction.live.n_dead == len(planted.DEAD_ONES)


def test_the_extraction_says_how_much_it_is(store, extraction, expected):
    nnz = sum(len(fired.positions) for fired in expected.features.values())
    live = extraction.live
    assert (live.n_tokens, live.n_counted) == (len(expected.tokens), expected.n_counted)
    assert (live.n_documents, live.nnz) == (len(expected.documents), nnz)
    assert live.l0 == pytest.approx(nnz / expected.n_counted)
    assert live.max_activation == max(max(f.values, default=0) for f in expected.features.values())
    assert sum(live.l0_counts) == expected.n_counted
    assert sum(live.density_counts) == planted.D_SAE - len(planted.DEAD_ONES)
    assert (extraction.is_complete, extraction.has_store) == (True, True)


def test_the_decoder_says_what_was_planted(container, feature):
    """A direction along a letter's axis raises that letter's logit most; the two on X write the
    same, and ON_V the opposite."""
    found = container.decoders.get(planted.SAE).feature(feature)
    tokenizer = container.base.residents.model(planted.MODEL).tokenizer
    near = {n.feature_id: n.cosine for n in found.neighbours}
    assert len(near) == planted.D_SAE - 1
    expected = {
        planted.ON_X: (planted.ALSO_ON_X, 1.0),
        planted.ALSO_ON_X: (planted.ON_X, 1.0),
    }
    if feature in expected:
        first = found.neighbours[0]
        assert (first.feature_id, first.cosine) == pytest.approx(expected[feature])
        assert (found.neighbours[-1].feature_id, near[planted.ON_V]) == (planted.ON_V, -1.0)
    if feature in planted.LETTERS and feature != planted.ON_V:
        letter = planted.LETTERS[feature][0]
        assert found.top[0].token_id == planted.id_of(tokenizer, letter)
        assert found.top[0].token_str == letter
    if feature == planted.ON_V:
        assert found.bottom[0].token_id == planted.id_of(tokenizer, "X")


def test_the_table_of_features_finds_what_was_planted(container, extraction, expected, home):
    names = [phase.name for phase in container.jobs.get(extraction.job_id).phases]
    assert names[-1] == "features"
    assert list((home / "derived" / "features" / extraction.extraction_id).glob("*-tokens.parquet"))
    assert container.features.source(planted.SAE).store_id == extraction.extraction_id

    def ids(**asked):
        return container.features.ids(FeatureTableQuery.parse({"sae_id": planted.SAE, **asked}))

    n = [len(expected.features[feature].positions) for feature in range(planted.D_SAE)]
    assert ids(sort="n", descending=True) == sorted(range(planted.D_SAE), key=lambda f: (-n[f], f))
    assert ids(sort="n", descending=True)[0] == planted.ALWAYS
    assert ids(dead=True) == sorted(planted.DEAD_ONES)
    assert ids(neighbour_of=planted.ON_X, sort="cosine", descending=True)[0] == planted.ALSO_ON_X
    on_k = ids(text="K", search_in="top_tokens", dead=False)
    assert {planted.ON_J_OR_K, planted.ON_K} <= set(on_k) <= {*on_k, planted.ALWAYS}
    lines = container.features.lines(planted.SAE, [planted.ONLY_Q, planted.DEAD])
    assert lines[planted.ONLY_Q].top_tokens == ("Q",)
    start, stop = lines[planted.ONLY_Q].example_mark
    assert lines[planted.ONLY_Q].example[start:stop] == "Q"
    assert (lines[planted.DEAD].top_tokens, lines[planted.DEAD].example) == ((), None)
    assert set(ids(fires_on="AZ")) == {planted.ONLY_Z, planted.ALWAYS}
