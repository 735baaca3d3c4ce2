"""Examples: over all activations, in each order, page by page, each with its own text."""

from __future__ import annotations

import numpy as np
import pytest

from services.errors import InvalidArgument, NotFound
from services.evidence.requests import ExamplesQuery, IntervalsQuery, ViewQuery

FEATURES = (0, 2, 7, 12)


def paged(made, feature, **more):
    """All examples, 7 at a time, and the totals that were said."""
    items, totals, cursor = [], set(), None
    while True:
        query = ExamplesQuery(**made.of(feature, limit=7, cursor=cursor, **more))
        page = made.container.evidence.examples(query)
        items += page.items
        totals.add(page.total)
        cursor = page.next_cursor
        if cursor is None:
            return items, totals


def pairs(items):
    return [(item.example.context.position, item.example.value) for item in items]


def every(made, feature):
    at = np.flatnonzero(made.values[:, feature])
    return at, made.values[at, feature]


@pytest.mark.parametrize("feature", FEATURES)
def test_all_activations_are_paged_by_strength(made, feature):
    at, values = every(made, feature)
    items, totals = paged(made, feature, width=1)
    order = np.lexsort((at, -values))
    assert pairs(items) == list(zip(at[order].tolist(), values[order].tolist(), strict=True))
    assert totals == {len(at)}
    weakest, _ = paged(made, feature, width=0, order="weakest")
    order = np.lexsort((at, values))
    assert pairs(weakest) == list(zip(at[order].tolist(), values[order].tolist(), strict=True))


def test_the_random_order_has_each_once_and_depends_on_the_seed(made):
    at, _ = every(made, 7)
    one, again, other = (
        [p for p, _ in pairs(paged(made, 7, width=0, order="random", seed=s)[0])] for s in (1, 1, 2)
    )
    assert one == again and one != other
    assert sorted(one) == sorted(other) == at.tolist()
    assert one != at.tolist()


def test_a_random_order_favours_no_place(made):
    """Over many seeds each activation is first about equally often."""
    at, _ = every(made, 5)
    first = [pairs(paged(made, 5, width=0, order="random", seed=s)[0])[0][0] for s in range(200)]
    counts = np.array([first.count(position) for position in at.tolist()])
    expected = 200 / len(at)
    assert ((counts - expected) ** 2 / expected).sum() < 25  # chi-squared, 4 degrees of freedom


@pytest.mark.parametrize("low, high", [(0.5, 1.0), (None, 0.7), (1.2, None), (2.0, 2.0)])
def test_a_range_includes_its_lower_bound_and_the_largest_activation(made, low, high):
    at, values = every(made, 12)
    items, totals = paged(made, 12, width=0, low=low, high=high)
    keep = values.astype(np.float64) >= (-np.inf if low is None else low)
    keep &= values.astype(np.float64) < (np.inf if high is None else high)
    assert sorted(pairs(items)) == list(zip(at[keep].tolist(), values[keep].tolist(), strict=True))
    assert totals == {int(keep.sum())}
    top = float(values.max())
    assert paged(made, 12, width=0, low=top, high=top)[1] == {int((values == top).sum())}
    assert paged(made, 12, width=0, high=top)[1] == {len(values)}


def test_a_click_on_the_histogram_finds_what_it_counts(made):
    known = made.container.evidence.view(ViewQuery(**made.of(12))).known
    edges = known.histogram.edges
    for low, high, count in zip(edges[:-1], edges[1:], known.histogram.counts, strict=True):
        query = ExamplesQuery(**made.of(12, low=low, high=high, limit=1))
        assert made.container.evidence.examples(query).total == count


def test_values_colours_and_text_are_those_of_each_token(made):
    corpus = made.corpus
    items, _ = paged(made, 7, width=6)
    for item in items:
        around = item.example.context
        start, stop = around.start, around.start + len(around.token_ids)
        assert around.values == tuple(made.values[start:stop, 7].tolist())
        assert around.values[around.position - start] == item.example.value
        assert list(around.token_ids) == corpus.token_ids[start:stop].tolist()
        assert item.special == tuple(corpus.starts[start:stop].tolist())
        assert len(set(corpus.document_of[start:stop])) == 1
        spelled = b"".join(made.texts.pieces[start:stop]).decode("utf-8", "replace")
        assert "".join(around.pieces).replace("<bos>", "") == spelled
        number = int(corpus.document_of[item.example.context.position])
        row = corpus.documents[number]
        assert (item.document, item.metadata) == (
            row["name"], {"source": row["source"], "year": row["year"]}
        )  # fmt: skip


def test_only_documents_that_pass(made):
    items, totals = paged(made, 7, where='{"source": ["code", null], "year": 2001}')
    at, _ = every(made, 7)
    rows = [made.corpus.documents[n] for n in made.corpus.document_of[at]]
    passing = [
        p for p, r in zip(at, rows, strict=True) if r["source"] != "web" and r["year"] == 2001
    ]
    assert sorted(p for p, _ in pairs(items)) == passing and totals == {len(passing)}
    assert passing


@pytest.mark.parametrize("n", [1, 3, 8])
def test_intervals_have_all_activations_and_examples_from_each(made, n):
    query = IntervalsQuery(**made.of(12, n_intervals=n, per_interval=3))
    found = made.container.evidence.intervals(query)
    values = made.values[:, 12][made.values[:, 12] != 0].astype(np.float64)
    assert len(found) == n and sum(i.n for i in found) == len(values)
    assert [i.high for i in found] == sorted((i.high for i in found), reverse=True)
    assert found[0].high == values.max() and found[-1].low == 0
    for number, interval in enumerate(found):
        inside = (values >= interval.low) & (values < interval.high)
        inside |= (number == 0) & (values == interval.high)
        assert interval.n == inside.sum() and len(interval.examples) == min(3, interval.n)
        shown = [e.example.value for e in interval.examples]
        assert shown == sorted(shown, reverse=True)
        assert all(interval.low <= value <= interval.high for value in shown)
    assert found == made.container.evidence.intervals(query)


def test_a_dead_feature_has_nothing(made):
    assert paged(made, 1) == ([], {0})
    assert made.container.evidence.intervals(IntervalsQuery(**made.of(1))) == ()


@pytest.mark.parametrize("cursor", ["x", "strongest:1:2", "random 0:7:1", "weakest:nan:x"])
def test_a_cursor_of_another_order_is_refused(made, cursor):
    with pytest.raises(InvalidArgument, match="cursor"):
        made.container.evidence.examples(
            ExamplesQuery(**made.of(7, order="weakest", cursor=cursor))
        )


def test_what_there_is_not_is_named(made):
    evidence = made.container.evidence
    with pytest.raises(NotFound, match="0 to 23"):
        evidence.examples(ExamplesQuery(**made.of(24)))
    with pytest.raises(NotFound, match="store 'none'"):
        evidence.examples(ExamplesQuery(**made.of(2, store_id="none")))
    with pytest.raises(InvalidArgument, match="of SAE"):
        evidence.view(ViewQuery(sae_id="demo-l2-res", feature_id=2, store_id="made"))
    with pytest.raises(NotFound, match="read no corpus yet"):
        evidence.examples(ExamplesQuery(sae_id="made/sae", feature_id=2))
    with pytest.raises(InvalidArgument, match="colour"):
        evidence.examples(ExamplesQuery(**made.of(2, where='{"colour": "red"}')))
