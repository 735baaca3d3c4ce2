"""The strip's props are the run's numbers, aligned, compact and free of surprises."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from components.token_strip import (
    CARD_FEATURES,
    TokenStrip,
    activation_legend,
    live_props,
    scale_top,
    shown_values,
    token_strip,
)
from services.types import FeatureTimeline, RunStatus
from tests.unit.components.made import SPLIT, make_live, make_timeline, make_view

VIEW = make_view(120)
TIMELINE = VIEW.timelines[0]


def test_lists_are_as_long_as_the_run_has_tokens() -> None:
    strip = token_strip(VIEW, TIMELINE, id="s")
    lists = [strip.tokens, strip.special, strip.values, strip.top, strip.logprobs]
    assert {len(items) for items in lists} == {120}
    assert strip.segments == SPLIT
    assert strip.tokens[1] == VIEW.tokens[1].text
    assert strip.special[0] == 1


def test_a_feature_colours_by_its_own_value() -> None:
    strip = token_strip(VIEW, TIMELINE, feature_id=101, position=7, show_special=True, id="s")
    assert strip.values == pytest.approx(TIMELINE.values_of(101).tolist(), rel=1e-3)
    assert (strip.feature, strip.selected, strip.showSpecial) == (101, 7, True)
    assert "101" in strip.label


def test_without_a_feature_the_strongest_one_colours() -> None:
    strip = token_strip(VIEW, TIMELINE, id="s")
    assert strip.values == pytest.approx(TIMELINE.activations.max(axis=1).tolist(), rel=1e-3)


def test_a_negative_activation_colours_by_its_size_and_keeps_its_sign() -> None:
    values = TIMELINE.activations.copy()
    values[7, 0] = -900
    strip = token_strip(VIEW, replace(TIMELINE, activations=values), id="s")
    assert strip.values[7] == -900
    assert strip.max == 900
    feature = int(TIMELINE.feature_ids[7, 0])
    pinned = token_strip(VIEW, replace(TIMELINE, activations=values), feature_id=feature, id="s")
    assert (pinned.values[7], pinned.max) == (-900, 900)


def test_the_scale_ignores_the_outlier_of_special_tokens() -> None:
    values = shown_values(VIEW, TIMELINE, None)
    special = [token.position for token in VIEW.tokens if token.is_special]
    counted = np.delete(values, special)
    assert values[0] > counted.max()
    assert scale_top(VIEW, values) == pytest.approx(counted.max(), rel=1e-5)


def test_a_feature_that_fires_in_special_tokens_only_still_has_a_scale() -> None:
    values = np.zeros(120, np.float32)
    values[0] = 3.5
    assert scale_top(VIEW, values) == 3.5


def test_cards_list_the_strongest_features_in_order() -> None:
    strip = token_strip(VIEW, TIMELINE, id="s")
    pairs = strip.top[5]
    assert pairs[::2] == TIMELINE.feature_ids[5, :CARD_FEATURES].tolist()
    assert pairs[1::2] == pytest.approx(TIMELINE.activations[5, :CARD_FEATURES].tolist(), rel=1e-3)


def test_empty_places_of_a_timeline_are_left_out() -> None:
    ids, values = TIMELINE.feature_ids.copy(), TIMELINE.activations.copy()
    ids[5, 2:], values[5, 2:] = -1, 0
    strip = token_strip(VIEW, replace(TIMELINE, feature_ids=ids, activations=values), id="s")
    assert len(strip.top[5]) == 4


def test_a_failed_sae_leaves_a_plain_strip() -> None:
    none = np.zeros((0, 0), np.int32)
    failed = FeatureTimeline(
        "s", "h", 0, 8, none, none.astype(np.float32), none[:, 0:0].ravel(), "x"
    )
    for timeline in (failed, None):
        strip = token_strip(VIEW, timeline, id="s")
        assert strip.values == [0] * 120
        assert strip.max == 0
        assert strip.top == []


def test_a_timeline_shorter_than_the_run_is_padded() -> None:
    strip = token_strip(VIEW, make_timeline(100), id="s")
    assert strip.values[100:] == [0] * 20
    assert len(strip.top) == 100


def test_an_empty_run_has_an_empty_strip() -> None:
    strip = token_strip(replace(VIEW, tokens=(), timelines=()), None, id="s")
    assert (strip.tokens, strip.max, strip.segments) == ([], 0, 0)


def test_a_live_strip_streams_only_while_it_writes() -> None:
    writing = make_live(10)
    assert live_props(writing)["streaming"] is True
    assert live_props(replace(writing, phase="reading features"))["streaming"] is False
    assert live_props(replace(writing, status=RunStatus.OK))["streaming"] is False
    assert len(live_props(writing)["tokens"]) == SPLIT + 10


def test_two_thousand_tokens_stay_compact() -> None:
    view = make_view(2000)
    sent = json.dumps(token_strip(view, view.timelines[0], id="s").to_plotly_json())
    assert len(sent) < 400_000
    assert "NaN" not in sent


def test_the_component_takes_only_its_props() -> None:
    assert TokenStrip("a").to_plotly_json()["namespace"] == "actiscope"
    with pytest.raises(TypeError):
        TokenStrip("a", innerHTML="x")


def test_the_legend_says_both_ends() -> None:
    legend = json.dumps(activation_legend(12.345, "feature #7").to_plotly_json(), default=str)
    assert "12.3" in legend
    assert "feature #7" in legend
