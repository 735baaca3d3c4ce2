"""Each number of the evidence against an independent computation on the dense matrix."""

from __future__ import annotations

import math
from collections import Counter

import networkx
import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.feature_extraction.text import TfidfTransformer

from services.errors import InvalidArgument
from services.evidence import bounds
from services.evidence.requests import (
    BreakdownQuery,
    IntervalsQuery,
    RelatedQuery,
    TokensQuery,
    ViewQuery,
)
from tests.made_texts import BOS, shown

FEATURES = (0, 3, 7, 12)
REGIONS = {"floor": 0, "low": 0.01, "below core": 0.1, "core": 0.25, "high": 0.75, "peak": 0.9}


def view(made, feature):
    return made.container.evidence.view(ViewQuery(**made.of(feature)))


def fired(made, feature):
    at = np.flatnonzero(made.values[:, feature])
    return at, made.values[at, feature].astype(np.float64)


@pytest.mark.parametrize("n, of", [(0, 10), (1, 10), (10, 10), (37, 1000), (3, 10_000_000)])
def test_wilson_is_scipys(n, of):
    expected = binomtest(n, of).proportion_ci(method="wilson")
    found = bounds.wilson(n, of)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("feature", FEATURES)
def test_statistics_and_their_intervals(made, feature):
    at, values = fired(made, feature)
    found, corpus = view(made, feature), made.corpus
    n_counted, documents = int(corpus.counted.sum()), set(corpus.document_of[at].tolist())
    assert (found.source.n_counted, found.source.n_documents) == (n_counted, len(corpus.documents))
    assert (found.known.n, found.known.n_documents) == (len(at), len(documents))
    wilson = binomtest(len(at), n_counted).proportion_ci(method="wilson")
    assert (found.density.low, found.density.high) == pytest.approx(tuple(wilson))
    wilson = binomtest(len(documents), len(corpus.documents)).proportion_ci(method="wilson")
    assert (found.document_density.low, found.document_density.high) == pytest.approx(tuple(wilson))
    half = 1.959963984540054 * values.std() / math.sqrt(len(values))
    mean = (found.mean.low, found.mean.high)
    assert mean == pytest.approx((values.mean() - half, values.mean() + half))


def test_place_among_the_features(made):
    counts = (made.values != 0).sum(0)
    live = np.flatnonzero(counts).tolist()
    for feature in range(made.values.shape[1]):
        found = view(made, feature)
        assert found.n_live == len(live)
        before = [other for other in live if other < feature]
        after = [other for other in live if other > feature]
        assert (found.previous, found.next) == (
            before[-1] if before else None, after[0] if after else None
        )  # fmt: skip
        if counts[feature]:
            assert found.density_rank == 1 + sum(n > counts[feature] for n in counts)
        else:
            assert found.density_rank is None and found.mean is None
            assert [w.code for w in found.warnings] == ["dead"]


@pytest.mark.parametrize("feature", FEATURES)
def test_regions_are_shares_of_the_effective_maximum(made, feature):
    _, values = fired(made, feature)
    top = np.sort(values)[math.ceil(0.995 * len(values)) - 1]
    found = view(made, feature).regions
    assert [r.name for r in found] == list(REGIONS)
    edges = [share * top for share in REGIONS.values()]
    for number, region in enumerate(found):
        low, high = edges[number], [*edges, np.inf][number + 1]
        n = int(((values >= low) & (values < high)).sum())
        assert (region.n, region.share) == (n, n / len(values))
        assert region.low == pytest.approx(low)
    assert found[-1].high == values.max() and sum(r.n for r in found) == len(values)


@pytest.mark.parametrize(
    "feature, codes",
    [
        (0, {"dense"}),
        (2, {"one_token"}),
        (3, {"few_examples", "one_document"}),
        (4, {"one_position"}),
        (5, {"few_examples"}),
        (6, {"mostly_low", "dense"}),
    ],
)
def test_warnings_follow_from_the_numbers(made, feature, codes):
    warnings = {w.code: w.text for w in view(made, feature).warnings}
    assert codes <= set(warnings) and set(warnings) <= {*codes, "few_examples", "dense"}
    if feature == 4:
        assert "100% of" in warnings["one_position"] and "at token 1 of" in warnings["one_position"]


def uses(made, feature, step):
    """Token at `step` from each activation: count, share, mean, share of places, lift."""
    corpus, (at, values) = made.corpus, fired(made, feature)
    places = Counter(corpus.token_ids[corpus.counted].tolist())
    n_counted, found = int(corpus.counted.sum()), {}
    for position, value in zip(at.tolist(), values, strict=True):
        other = position + step
        if 0 <= other < len(made.values) and (
            corpus.document_of[other] == corpus.document_of[position]
        ):
            found.setdefault(int(corpus.token_ids[other]), []).append(value)
    for token, seen in found.items():
        share, of = len(seen) / len(at), places[token]
        yield token, (
            len(seen), share, float(np.mean(seen)), len(seen) / of if step == 0 else None,
            share / (of / n_counted) if of else None,
        )  # fmt: skip


@pytest.mark.parametrize("feature", FEATURES)
def test_tokens_at_before_and_after(made, feature):
    found = made.container.evidence.tokens(TokensQuery(**made.of(feature, limit=200)))
    assert found.n == found.n_read == len(fired(made, feature)[0])
    for step, listed in ((0, found.at), (-1, found.before), (1, found.after)):
        expected = dict(uses(made, feature, step))
        assert [u.count for u in listed] == sorted((u.count for u in listed), reverse=True)
        assert len(listed) == min(len(expected), 200)
        for use in listed:
            assert (use.count, use.share, use.mean, use.fires, use.lift) == pytest.approx(
                expected[use.token_id]
            )
            assert use.text == shown(made.texts.spelled[use.token_id])
    assert any(use.token_id == BOS and use.lift is None for use in found.before)


def graph_of(made, feature, width):
    corpus, graph = made.corpus, networkx.Graph()
    for position, value in zip(*fired(made, feature), strict=True):
        low, high = max(position - width, 0), min(position + width + 1, len(made.values))
        around = [
            int(corpus.token_ids[p])
            for p in range(low, high)
            if corpus.document_of[p] == corpus.document_of[position] and not corpus.starts[p]
        ]
        tokens = sorted(set(around))
        graph.add_nodes_from(tokens)
        for i, one in enumerate(tokens):
            for other in tokens[i + 1 :]:
                before = graph.get_edge_data(one, other, {"weight": 0})["weight"]
                graph.add_edge(one, other, weight=before + value)
    return graph


@pytest.mark.parametrize("feature, width", [(12, 5), (7, 2), (5, 1), (3, 12)])
def test_page_rank_is_networkxs(made, feature, width):
    query = TokensQuery(**made.of(feature, limit=200, width=width))
    found = made.container.evidence.tokens(query)
    graph = graph_of(made, feature, width)
    expected = networkx.pagerank(graph, alpha=0.85, tol=1e-14, max_iter=2000, weight="weight")
    order = sorted(expected, key=lambda token: (-round(expected[token], 12), token))
    assert found.n_ranked == found.n
    assert {t.token_id: t.score for t in found.page_rank} == pytest.approx(
        {token: expected[token] for token in order[: len(found.page_rank)]}, abs=1e-9
    )
    assert len(found.page_rank) == min(200, len(graph))


def test_page_rank_of_some_contexts_says_of_how_many(made):
    query = TokensQuery(**made.of(12, contexts=20))
    found = made.container.evidence.tokens(query)
    assert found.n_ranked == 20 < found.n
    whole = made.container.evidence.tokens(TokensQuery(**made.of(12, contexts=0)))
    assert whole.n_ranked == whole.n


@pytest.mark.parametrize("feature", [0, 12])
def test_tokens_of_intervals_are_scikit_learns_tf_idf(made, feature):
    corpus = made.corpus
    size = len(made.texts.spelled)
    bags = np.zeros((len(corpus.documents), size))
    np.add.at(bags, (corpus.document_of[corpus.counted], corpus.token_ids[corpus.counted]), 1)
    transformer = TfidfTransformer(smooth_idf=True, norm="l2").fit(bags)
    query = IntervalsQuery(**made.of(feature, tokens=50, per_interval=4, width=8))
    for interval in made.container.evidence.intervals(query):
        bag = np.zeros((1, size))
        for found in interval.examples:
            ids = np.array(found.example.context.token_ids)[~np.array(found.special)]
            np.add.at(bag[0], ids, 1)
        scores = transformer.transform(bag).toarray()[0]
        assert [t.score for t in interval.tokens] == pytest.approx(
            sorted(scores[scores > 0], reverse=True)[:50]
        )
        for token in interval.tokens:
            assert token.score == pytest.approx(scores[token.token_id])
            assert token.count == bag[0, token.token_id] and token.token_id != BOS


@pytest.mark.parametrize("by", ["count", "jaccard", "correlation"])
def test_coactivation_with_what_would_be_expected(made, by):
    feature, values = 12, made.values[made.corpus.counted].astype(np.float64)
    active = values != 0
    found = made.container.evidence.related(RelatedQuery(**made.of(feature, by=by, limit=50)))
    both = (active & active[:, [feature]]).sum(0)
    for other in found:
        j = other.feature_id
        assert (other.n, other.count) == (active[:, j].sum(), both[j])
        expected = active[:, feature].sum() * active[:, j].sum() / len(values)
        assert other.expected == pytest.approx(expected)
        value = {
            "count": both[j],
            "jaccard": both[j] / (active[:, feature] | active[:, j]).sum(),
            "correlation": np.corrcoef(values[:, feature], values[:, j])[0, 1],
        }[by]
        assert other.value == pytest.approx(value)
    assert [o.value for o in found] == sorted((o.value for o in found), reverse=True)
    partners = set(np.flatnonzero(both)) - {feature}
    assert {o.feature_id for o in found} == partners


def documents_of(made, feature, column):
    """By document: its value, activations, counted tokens."""
    corpus = made.corpus
    x = np.bincount(corpus.document_of[fired(made, feature)[0]], minlength=len(corpus.documents))
    m = np.bincount(corpus.document_of[corpus.counted], minlength=len(corpus.documents))
    return [row[column] for row in corpus.documents], x.astype(float), m.astype(float)


@pytest.mark.parametrize("column", ["source", "year"])
@pytest.mark.parametrize("feature", [0, 7, 12])
def test_breakdown_with_lift(made, feature, column):
    groups, x, m = documents_of(made, feature, column)
    found = made.container.evidence.breakdown(BreakdownQuery(**made.of(feature, column=column)))
    assert {g.value for g in found} == set(groups)
    assert [g.density for g in found] == sorted((g.density for g in found), reverse=True)
    for group in found:
        inside = np.array([value == group.value for value in groups])
        assert (group.n, group.n_counted) == (x[inside].sum(), m[inside].sum())
        assert (group.n_documents, group.documents_fired) == (
            inside.sum(), (x[inside] > 0).sum()
        )  # fmt: skip
        lift = (x[inside].sum() / m[inside].sum()) / (x.sum() / m.sum())
        assert group.lift == pytest.approx(lift)
        assert group.lift_bounds.low <= lift <= group.lift_bounds.high


def test_the_interval_of_a_lift_is_that_of_the_bootstrap(made):
    """Documents drawn anew: the spread of the logarithm is what the closed form says."""
    groups, x, m = documents_of(made, 7, "source")
    inside = np.array([value == "web" for value in groups])
    found = made.container.evidence.breakdown(BreakdownQuery(**made.of(7, column="source")))
    web = next(group for group in found if group.value == "web")
    rng, logs = np.random.default_rng(0), []
    for _ in range(4000):
        at = rng.integers(0, len(x), len(x))
        chosen = at[inside[at]]
        if x[chosen].sum():
            logs.append(np.log(x[chosen].sum() / m[chosen].sum() / (x[at].sum() / m[at].sum())))
    half = math.log(web.lift_bounds.high / web.lift)
    assert half == pytest.approx(1.96 * np.std(logs), rel=0.15)
    assert math.log(web.lift / web.lift_bounds.low) == pytest.approx(half)


def test_a_column_that_there_is_not_is_named(made):
    with pytest.raises(InvalidArgument, match=r"colour.*source, year"):
        made.container.evidence.breakdown(BreakdownQuery(**made.of(7, column="colour")))


def test_a_dead_feature_has_no_tokens_groups_with_lift_or_partners(made):
    evidence = made.container.evidence
    found = evidence.tokens(TokensQuery(**made.of(1)))
    assert (found.n, found.at, found.before, found.page_rank, found.n_ranked) == (0, (), (), (), 0)
    assert {g.lift for g in evidence.breakdown(BreakdownQuery(**made.of(1, column="year")))} == {
        None
    }
    assert evidence.related(RelatedQuery(**made.of(1, by="jaccard"))) == ()
