"""Rows, rankings and changes equal a brute-force computation on the dense matrix."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from services.errors import InvalidArgument, NotFound
from services.runs import analysis
from services.runs.queries import DeltaQuery, RowQuery, TopQuery
from services.types import FeatureTimeline, RunView, Segment
from tests.factories import run_view, timeline, tokens


@pytest.fixture
def two_saes() -> tuple[RunView, dict[str, np.ndarray]]:
    first, dense_first = timeline(1, sae_id="sae-a", layer=1)
    second, dense_second = timeline(2, sae_id="sae-b", layer=2, top_k=3)
    view = run_view(timelines=(first, second))
    return view, {"sae-a": dense_first, "sae-b": dense_second}


def brute_rows(view: RunView, dense: dict[str, np.ndarray]) -> list[tuple]:
    """(position, sae, rank, feature, value, step) of every kept activation, in row order."""
    rows = []
    for made in view.timelines:
        for position, values in enumerate(dense[made.sae_id]):
            order = sorted(np.flatnonzero(values), key=lambda f: (-values[f], f))[: made.top_k]
            step = max(position - view.summary.prompt_tokens + 1, 0)
            rows += [
                (position, made.sae_id, rank, int(f), float(values[f]), step)
                for rank, f in enumerate(order, start=1)
            ]
    return sorted(rows, key=lambda r: (r[0], r[1], r[2]))


def as_tuples(columns: analysis.RowColumns) -> list[tuple]:
    return [
        (r.token_position, r.sae_id, r.rank, r.feature_id, r.activation_value, r.step)
        for r in columns.rows(0, None)
    ]


def test_without_filters_every_row_is_there(two_saes):
    view, dense = two_saes
    assert as_tuples(analysis.row_columns(view, RowQuery())) == brute_rows(view, dense)


FILTERS = [
    {"sae_id": "sae-b"},
    {"sae_layer": 1},
    {"token_start": 4, "token_end": 9},
    {"rank_max": 2},
    {"segment": "output"},
    {"include_special": False},
    {"token_start": 11, "rank_max": 1, "segment": "output", "sae_id": "sae-a"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_filters_keep_exactly_the_matching_rows(two_saes, filters):
    view, dense = two_saes
    query = RowQuery.parse(filters)
    special = [t.is_special for t in view.tokens]
    layer = {t.sae_id: t.layer for t in view.timelines}
    expected = [
        row
        for row in brute_rows(view, dense)
        if (query.sae_id in (None, row[1]))
        and (query.sae_layer in (None, layer[row[1]]))
        and row[0] >= (query.token_start or 0)
        and (query.token_end is None or row[0] <= query.token_end)
        and row[2] <= (query.rank_max or 999)
        and (query.segment in (None, view.tokens[row[0]].segment))
        and (query.include_special or not special[row[0]])
    ]
    assert expected
    assert as_tuples(analysis.row_columns(view, query)) == expected


def test_one_feature_keeps_its_rank(two_saes):
    view, dense = two_saes
    feature = brute_rows(view, dense)[10][3]
    found = as_tuples(analysis.row_columns(view, RowQuery(feature_id=feature)))
    assert found == [row for row in brute_rows(view, dense) if row[3] == feature]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", ["activation_value", "feature_id", "rank", "step", "token_id"])
def test_sorting_orders_by_the_column_and_breaks_ties_by_position(two_saes, sort, descending):
    view, _ = two_saes
    columns = analysis.row_columns(view, RowQuery(sort=sort, descending=descending))
    rows = columns.rows(0, None)
    sign = -1 if descending else 1
    keys = [(sign * getattr(r, sort), r.token_position, r.sae_id, r.rank) for r in rows]
    assert keys == sorted(keys)
    assert len(rows) == len(analysis.row_columns(view, RowQuery()))


def test_pages_join_to_the_whole(two_saes):
    columns = analysis.row_columns(two_saes[0], RowQuery())
    pages = [row for start in range(0, len(columns), 7) for row in columns.rows(start, start + 7)]
    assert pages == columns.rows(0, None)


def test_a_reversed_range_is_refused(two_saes):
    with pytest.raises(InvalidArgument, match="token_start 5 lies behind token_end 4"):
        analysis.row_columns(two_saes[0], RowQuery(token_start=5, token_end=4))


def test_an_unknown_sae_is_refused(two_saes):
    with pytest.raises(NotFound, match="sae-z"):
        analysis.row_columns(two_saes[0], RowQuery(sae_id="sae-z"))


@pytest.mark.parametrize(
    ("segment", "special"), product([None, Segment.PROMPT, Segment.OUTPUT], [False, True])
)
def test_top_features_equal_brute_force(two_saes, segment, special):
    view, dense = two_saes
    hits: dict[tuple[str, int], list[tuple[float, int]]] = {}
    for position, sae_id, _, feature, value, _ in brute_rows(view, dense):
        token = view.tokens[position]
        if (segment in (None, token.segment)) and (special or not token.is_special):
            hits.setdefault((sae_id, feature), []).append((value, position))
    expected = sorted(
        (
            (-max(v)[0], -len(v), feature, sae_id, sum(x for x, _ in v) / len(v))
            for (sae_id, feature), v in hits.items()
        )
    )
    found = analysis.top_features(view, TopQuery(n=500, segment=segment, include_special=special))
    assert [(-f.max_activation, -f.hits, f.feature_id, f.sae_id) for f in found] == [
        e[:4] for e in expected
    ]
    np.testing.assert_allclose([f.mean_activation for f in found], [e[4] for e in expected])
    for feature in found:
        strongest = max(v for v, _ in hits[feature.sae_id, feature.feature_id])
        first = min(p for v, p in hits[feature.sae_id, feature.feature_id] if v == strongest)
        assert feature.argmax_position == first


def test_top_features_leave_special_tokens_out_unless_asked():
    made, _ = timeline(3)
    loud = replace(made, activations=made.activations.copy())
    loud.activations[0] *= 1000  # BOS
    view = run_view(timelines=(loud,))
    assert analysis.top_features(view, TopQuery(n=1))[0].max_activation < 1000
    assert analysis.top_features(view, TopQuery(n=1, include_special=True))[0].argmax_position == 0


def test_deltas_are_changes_from_the_position_before(two_saes):
    view, dense = two_saes
    found = analysis.deltas(view, DeltaQuery(feature_id=7, sae_id="sae-b"), None)
    values = dense["sae-b"][:, 7]
    assert [p.activation_value for p in found.points] == values.tolist()
    assert found.points[0].delta is None
    np.testing.assert_allclose([p.delta for p in found.points[1:]], np.diff(values), atol=1e-6)


def test_deltas_follow_a_feature_below_the_top_k(two_saes):
    view, dense = two_saes
    made = view.timelines[1]
    ranks = (-dense["sae-b"]).argsort(1, kind="stable").argsort(1)
    beyond = np.argwhere((dense["sae-b"] > 0) & (ranks >= made.top_k))
    position, feature = beyond[0]
    point = analysis.deltas(view, DeltaQuery(feature_id=int(feature), sae_id="sae-b"), None).points[
        position
    ]
    assert point.activation_value == dense["sae-b"][position, feature] > 0


def test_deltas_against_a_baseline_compare_aligned_tokens():
    base = tokens(4, prompt=10, output=10)
    inserted = replace(base[5], token_id=999)
    shifted = [replace(t, position=t.position + 1) for t in base[5:]]
    longer = (*base[:5], inserted, *shifted)
    ours, dense_ours = timeline(5, positions=21)
    theirs, dense_theirs = timeline(6, positions=20)
    view = run_view(timelines=(ours,), made_tokens=longer)
    baseline = run_view("run-2", timelines=(theirs,), made_tokens=base)
    points = analysis.deltas(view, DeltaQuery(feature_id=3, baseline="run-2"), baseline).points
    assert points[5].baseline_position is None and points[5].delta is None
    partners = [p.baseline_position for p in points]
    assert partners == [0, 1, 2, 3, 4, None, *range(5, 20)]
    for point, partner in zip(points, partners, strict=True):
        if partner is not None:
            change = dense_ours[point.token_position, 3] - dense_theirs[partner, 3]
            assert point.delta == pytest.approx(float(change), abs=1e-6)


def test_alignment_keeps_order_and_matches_equal_tokens_only():
    ours, theirs = tokens(7, prompt=30, output=30), tokens(8, prompt=20, output=50)
    partners = analysis.aligned_positions(ours, theirs)
    matched = [p for p in partners if p is not None]
    assert matched and matched == sorted(set(matched))
    assert all(
        ours[i].token_id == theirs[p].token_id for i, p in enumerate(partners) if p is not None
    )


def test_a_failed_sae_has_no_rows_and_no_ranking():
    empty = np.zeros((0, 5))
    failed = FeatureTimeline(
        "sae-x", "", 0, 5, empty.astype(np.int32), empty.astype(np.float32),
        np.zeros(0, np.int32), error="broken file",
    )  # fmt: skip
    view = run_view(timelines=(failed, timeline(1)[0]))
    rows = analysis.row_columns(view, RowQuery()).rows(0, None)
    assert {r.sae_id for r in rows} == {"sae-a"}
    assert analysis.top_features(view, TopQuery(sae_id="sae-x")) == []
    with pytest.raises(NotFound, match="no features"):
        analysis.deltas(view, DeltaQuery(feature_id=1, sae_id="sae-x"), None)
