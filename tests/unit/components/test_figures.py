"""Figures show the numbers they are given and draw token text as text."""

from __future__ import annotations

import json

import numpy as np
import pytest

from components.figures import deltas_figure, feature_token_heatmap, graph, top_feature_bars
from components.token_text import token_label, visible
from services.types import FeatureDelta, FeatureDeltas, Segment
from tests.unit.components.made import HOSTILE, make_deltas, make_top, make_view

VIEW = make_view(90)
TIMELINE = VIEW.timelines[0]
TOP = make_top(VIEW)


def test_bars_have_the_given_numbers() -> None:
    bars, means = top_feature_bars(TOP).data
    assert list(bars.x) == [f.max_activation for f in TOP]
    assert list(means.x) == [f.mean_activation for f in TOP]
    assert [text.strip() for text in bars.text] == [f"{f.hits}×" for f in TOP]
    assert [row[0] for row in bars.customdata] == [f.feature_id for f in TOP]


def test_names_lead_to_the_feature_and_carry_its_label() -> None:
    first, second = TOP[0].feature_id, TOP[1].feature_id
    labels = {first: "<b>capital</b> cities of the world"}
    figure = top_feature_bars(TOP, labels=labels)
    texts = figure.layout.yaxis.ticktext
    assert f'href="/features/{TOP[0].sae_id}/{first}"' in texts[0]
    assert f">#{first} &lt;b&gt;capital" in texts[0]
    assert "world" not in texts[0]
    assert f">#{second}</a>" in texts[1]
    assert "&lt;b&gt;capital&lt;/b&gt; cities of the world" in figure.data[0].customdata[0][5]
    assert figure.data[0].customdata[1][5] == ""
    heat = feature_token_heatmap(VIEW, TIMELINE, [first], labels=labels)
    assert heat.layout.yaxis.ticktext == texts[:1]


def test_bars_stop_at_the_limit() -> None:
    assert len(top_feature_bars(TOP, limit=3).data[0].x) == 3


def test_the_pinned_bar_is_framed_only_when_it_is_there() -> None:
    assert len(top_feature_bars(TOP, TOP[2].feature_id).layout.shapes) == 1
    assert not top_feature_bars(TOP, 999_999).layout.shapes


def test_no_features_make_an_empty_figure() -> None:
    assert list(top_feature_bars([]).data[0].x) == []


def test_heat_map_cells_are_the_timeline_values() -> None:
    features = [f.feature_id for f in TOP]
    heat = feature_token_heatmap(VIEW, TIMELINE, features, show_special=True).data[0]
    expected = np.stack([TIMELINE.values_of(feature) for feature in features])
    assert np.array_equal(np.nan_to_num(np.asarray(heat.z)), expected)
    assert np.array_equal(np.isnan(np.asarray(heat.z)), expected == 0)


def test_heat_map_leaves_special_tokens_out_unless_asked() -> None:
    kept = [t.position for t in VIEW.tokens if not t.is_special]
    heat = feature_token_heatmap(VIEW, TIMELINE, [101]).data[0]
    assert [int(label.split(" ")[0]) for label in heat.x] == kept
    assert np.array_equal(np.nan_to_num(np.asarray(heat.z))[0], TIMELINE.values_of(101)[kept])


@pytest.mark.parametrize("segment", list(Segment))
def test_heat_map_draws_the_tokens_of_the_segment_only(segment: Segment) -> None:
    kept = [t.position for t in VIEW.tokens if not t.is_special and t.segment is segment]
    heat = feature_token_heatmap(VIEW, TIMELINE, [101], segment=segment).data[0]
    assert [int(label.split(" ")[0]) for label in heat.x] == kept
    assert np.array_equal(np.nan_to_num(np.asarray(heat.z))[0], TIMELINE.values_of(101)[kept])


def test_heat_map_clicks_name_feature_and_position() -> None:
    heat = feature_token_heatmap(VIEW, TIMELINE, [101, 202]).data[0]
    values = np.asarray(heat.z)
    kept = [t.position for t in VIEW.tokens if not t.is_special]
    for row, feature in enumerate((101, 202)):
        for column, position in enumerate(kept):
            fires = not np.isnan(values[row, column])
            assert heat.customdata[row][column] == ([feature, position] if fires else None)


def test_heat_map_shows_the_pinned_feature_even_when_it_is_weak() -> None:
    figure = feature_token_heatmap(VIEW, TIMELINE, [101], pinned=202, selected=40)
    assert list(figure.data[0].y) == ["#202", "#101"]
    assert len(figure.layout.shapes) == 2


def test_heat_map_of_a_pinned_feature_in_the_list_keeps_one_row() -> None:
    assert list(feature_token_heatmap(VIEW, TIMELINE, [101, 202], pinned=202).data[0].y) == [
        "#202",
        "#101",
    ]


def test_columns_of_equal_tokens_stay_apart() -> None:
    labels = feature_token_heatmap(VIEW, TIMELINE, [101]).data[0].x
    assert len(set(labels)) == len(labels)


def test_deltas_have_the_given_numbers() -> None:
    deltas = make_deltas(VIEW)
    value, change = deltas_figure(deltas, selected=4).data
    assert list(value.y) == [p.activation_value for p in deltas.points]
    assert list(change.y) == [p.delta for p in deltas.points]
    assert list(change.x) == [p.token_position for p in deltas.points]
    assert [row[0] for row in value.customdata] == [p.token_position for p in deltas.points]


@pytest.mark.parametrize("text", HOSTILE)
def test_token_text_never_becomes_markup(text: str) -> None:
    assert "<" not in token_label(3, text)
    delta = FeatureDeltas("s", 1, (FeatureDelta(0, 0, text, 1.0, None, None, None),))
    assert "<" not in deltas_figure(delta).data[0].customdata[0][1]


def test_hostile_runs_draw_no_markup() -> None:
    view = make_view(40, tuple(HOSTILE))
    heat = feature_token_heatmap(view, view.timelines[0], [101]).data[0]
    assert not [label for label in heat.x if "<" in label]


def test_quotes_are_drawn_as_quotes() -> None:
    assert token_label(3, ' "') == '3 ·"'  # Plotly knows no &quot;
    assert token_label(3, "<'&'>") == "3 &lt;'&amp;'&gt;"


def test_spaces_and_newlines_are_visible() -> None:
    assert visible(" cat ") == "·cat·"
    assert visible("\n\t\r") == "⏎⇥␍"
    assert visible("  ") == "··"
    assert visible("a b") == "a b"


def test_hidden_characters_are_visible() -> None:
    assert visible("\u202egnp.exe") == "\\u202egnp.exe"
    assert visible("a\x00\x1b") == "a\\x00\\x1b"


def test_long_tokens_are_cut() -> None:
    assert len(token_label(0, "x" * 500)) < 30


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_say_their_scheme_and_take_colours_from_it(scheme: str) -> None:
    figure = top_feature_bars(TOP, scheme=scheme)
    assert figure.layout.template.layout.meta == {"actiscope": scheme}
    sent = json.loads(figure.to_json())
    sent["layout"].pop("template")
    assert "#" not in json.dumps(sent).replace('"#', "").replace(">#", "")


def test_a_graph_has_a_name_and_its_height() -> None:
    box = graph("g", top_feature_bars(TOP), label="Top features")
    assert box.to_plotly_json()["props"]["aria-label"] == "Top features"
    assert box.children.style["height"] == box.children.figure.layout.height
