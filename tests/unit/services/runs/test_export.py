"""Exports carry the numbers exactly and cannot make a spreadsheet compute."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import InvalidArgument
from services.runs import analysis
from services.runs.export import csv_safe, export
from services.runs.queries import RowQuery, TopQuery
from tests.factories import run_view, tokens

HOSTILE = ['=cmd|"/c calc"!A1', "+1", "-2", "@SUM(A1)", "\t=1", " =1", "＝1", '",\n"', "\u200b=1"]


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_csv_rows_are_the_rows():
    view = run_view()
    rows = analysis.row_columns(view, RowQuery()).rows(0, None)
    read = read_csv(export(view, "rows", "csv", RowQuery()).content)
    assert len(read) == len(rows) > 50
    for got, want in zip(read, rows, strict=True):
        assert int(got["token_position"]) == want.token_position
        assert int(got["feature_id"]) == want.feature_id
        assert float(got["activation_value"]) == want.activation_value
        assert int(got["rank"]) == want.rank
        assert int(got["step"]) == want.step


def test_parquet_rows_are_the_rows_with_exact_text():
    made = tokens()
    hostile = tuple(replace(t, text=HOSTILE[i % len(HOSTILE)]) for i, t in enumerate(made))
    view = run_view(made_tokens=hostile)
    rows = analysis.row_columns(view, RowQuery()).rows(0, None)
    read = pq.read_table(io.BytesIO(export(view, "rows", "parquet", RowQuery()).content))
    got = read.to_pylist()
    assert [(r["token_str"], r["activation_value"], r["rank"]) for r in got] == [
        (r.token_str, r.activation_value, r.rank) for r in rows
    ]


def test_filters_apply_to_the_file_too():
    query = RowQuery(rank_max=1, segment="output")
    read = read_csv(export(run_view(), "rows", "csv", query).content)
    assert read and {(r["rank"], r["segment"]) for r in read} == {("1", "output")}


def test_top_features_file_is_the_ranking():
    view = run_view()
    query = TopQuery(n=10)
    read = read_csv(export(view, "top-features", "csv", query).content)
    ranking = analysis.top_features(view, query)
    assert [(int(r["feature_id"]), float(r["max_activation"])) for r in read] == [
        (f.feature_id, f.max_activation) for f in ranking
    ]


def test_the_run_file_holds_everything_as_strict_json():
    view = run_view()
    document = json.loads(export(view, "run", "json", RowQuery()).content)
    assert document["prompt"] == view.prompt
    assert [t["token"] for t in document["tokens"]] == [t.token_id for t in view.tokens]
    shown = document["features"][0]["feature_timeline"]
    assert len(shown) == len(view.tokens)
    assert sum(len(entry["top_features"]) for entry in shown) == len(
        analysis.row_columns(view, RowQuery())
    )


def test_every_file_carries_the_labels():
    view = run_view()
    first = analysis.top_features(view, TopQuery(n=1))[0]
    named = {(first.sae_id, first.feature_id): HOSTILE[0]}

    def labels(sae_id, features):
        return {f: named[sae_id, f] for f in features if (sae_id, f) in named}

    content = export(view, "rows", "parquet", RowQuery(), labels).content
    rows = pq.read_table(io.BytesIO(content)).to_pylist()
    texts = {(r["sae_id"], r["feature_id"]): r["label"] for r in rows}
    assert {key for key, text in texts.items() if text} == set(named)
    assert texts[first.sae_id, first.feature_id] == HOSTILE[0]
    top = read_csv(export(view, "top-features", "csv", TopQuery(), labels).content)
    assert [r["label"] for r in top[:2]] == ["'" + HOSTILE[0], ""]
    document = json.loads(export(view, "run", "json", RowQuery(), labels).content)
    assert document["labels"][first.sae_id] == {str(first.feature_id): HOSTILE[0]}


def test_file_names_say_the_run_and_nothing_dangerous():
    view = run_view("../a b:c")
    assert export(view, "rows", "csv", RowQuery()).filename == "actiscope-.._a_b_c-rows.csv"


def test_a_format_that_does_not_fit_is_refused():
    with pytest.raises(InvalidArgument):
        export(run_view(), "run", "csv", RowQuery())
    with pytest.raises(InvalidArgument):
        export(run_view(), "rows", "json", RowQuery())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_no_formula(text):
    assert csv_safe(text).startswith("'") or not text.strip().startswith(("=", "+", "-", "@"))


@given(st.text(max_size=20))
def test_no_text_cell_starts_like_a_formula_and_nothing_is_lost(text):
    safe = csv_safe(text)
    shown = unicodedata.normalize("NFKC", safe).lstrip(" \u200b\ufeff\u00a0")
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert safe in (text, "'" + text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_stay_numbers(value):
    assert csv_safe(value) == value
