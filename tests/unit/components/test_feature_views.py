"""The page of a feature shows what is known of it, as text, and where everything leads."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import plotly.utils
import pytest

from components import example_lines, feature_figures, feature_head, feature_lists
from components.feature_links import compare_href, feature_href, features_href
from components.token_text import readable
from pages.feature_state import Place
from services.types.decoder import TokenWeight
from services.types.features import (
    Bounds,
    MetadataGroup,
    RelatedFeature,
    ScoredToken,
    TokenUse,
)
from services.types.labels import FeatureMarks, Label, LabelSource
from services.types.stores import StoreHistogram
from tests.unit.components.made import HOSTILE
from tests.unit.components.made_extractions import make_context
from tests.unit.components.made_features import SAE, make_example, make_source, make_view

MARKUP = [text for text in HOSTILE if "<" in text]


def sent(component: Any) -> str:
    """The component as the browser receives it."""
    return json.dumps(component, cls=plotly.utils.PlotlyJSONEncoder, ensure_ascii=False)


@pytest.mark.parametrize(
    "sae_id", ["demo", "release/id", "a.b-c_d/e", "with space", "50%/ü?#", "7"]
)
def test_a_link_leads_to_the_feature_it_was_made_of(sae_id: str) -> None:
    path, _, query = feature_href(sae_id, 7, store="ext_1", width=None).partition("?")
    assert query == "store=ext_1"
    sae, _, number = path.removeprefix("/features/").rpartition("/")
    assert Place.of_path(sae, number, {"store": "ext_1"}).as_data() == {
        "sae": sae_id, "feature": 7, "store": "ext_1",
    }  # fmt: skip


def test_links_to_the_table_and_to_a_comparison() -> None:
    assert features_href("a/b", sort="n", text=None) == "/features?sae=a%2Fb&sort=n"
    assert compare_href(("a/b", 1), ("c", 2)) == "/features/compare?f=a/b:1&f=c:2"


def make_label(text: str) -> Label:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    return Label(
        "l", SAE, 12, text, "animals", "", 0.5, LabelSource.AUTOMATIC, "a model", "me", now, now, {}
    )


@pytest.mark.parametrize("text", [*HOSTILE, "cats"])
def test_the_head_names_the_feature(text: str) -> None:
    shown = sent(feature_head.name_line(FeatureMarks(12, make_label(text), 1)))
    for said in (json.dumps(readable(text), ensure_ascii=False), "automatic", "a model", "animals"):
        assert said in shown
    assert "No label yet" in sent(feature_head.name_line(None))


def test_numbers_stand_with_their_intervals() -> None:
    shown = sent(feature_head.feature_numbers(make_view()))
    for said in ("3,000", "1.23 %", "1.19 – 1.27 %", "9 – 11.0 %", "3.05 – 3.15", "85", "1,426"):
        assert said in shown
    assert feature_head.feature_numbers(make_view(known=None)) is None


def test_the_head_says_where_it_is_from_and_leads_to_its_neighbours() -> None:
    shown = sent(feature_head.place_line(make_view()))
    for said in ("blocks.1.hook_resid_post", "250,000 tokens", "900 documents", "id=ext_1"):
        assert said in shown
    growing = make_view(source=make_source(is_complete=False))
    assert "so far" in sent(feature_head.place_line(growing))
    steps = sent(feature_head.step_links(make_view(previous=None), store="ext_1", width=None))
    assert f"/features/{SAE}/14?store=ext_1" in steps
    assert "as-button-off" in steps
    assert "width" not in steps
    assert "5 of 6 activations are low." in sent(feature_head.warnings_list(make_view().warnings))
    assert feature_head.warnings_list(()) is None


def test_regions_without_activations_are_left_out_and_the_strongest_comes_first() -> None:
    shown = sent(feature_head.regions_bar(make_view().regions, lambda low, high: f"{low}-{high}"))
    assert "core" not in shown
    assert shown.index("peak") < shown.index('"low"')
    assert '"6.0-8.0"' in shown


def test_an_example_carries_the_value_of_every_token_and_none_of_special_ones() -> None:
    example = make_example()
    loud = replace(example.example.context, values=(9.0, 0.5, 8.0))
    example = replace(example, example=replace(example.example, context=loud))
    line = example_lines.line_of(example)
    assert line["values"] == [0, 0.5, 8.0]
    assert line["special"] == [1, 0, 0]
    assert (line["at"], line["position"], line["shown"]) == (2, 100, "8")
    assert line["note"] == "document 7 a.py · kind: code"
    assert example_lines.line_of(example, noted=False)["note"] == ""


def test_a_part_of_a_character_is_named_only_where_the_feature_fires() -> None:
    context = replace(make_context(("a", "\\xf0", "\\x9f", "😀"), 1, (0.0, 4.0, 0.0, 2.0)),
                      pieces=("a", "", "", "😀"))  # fmt: skip
    assert example_lines.token_texts(context) == ["a", "\\xf0", "", "😀"]
    assert example_lines.token_texts(replace(context, pieces=())) == ["a", "\\xf0", "\\x9f", "😀"]
    unnamed = replace(context, pieces=(), tokens=(None, "b", None, "d"))
    assert example_lines.token_texts(unnamed) == ["[0]", "b", "[2]", "d"]


def test_chips_are_graded_by_their_share_of_the_best_score() -> None:
    chips = example_lines.chips_of((ScoredToken(5, " cat", 0.8, 4), ScoredToken(6, "\n", 0.2, 1)))
    assert [(chip["id"], chip["text"], chip["weight"]) for chip in chips] == [
        (5, "·cat", 1.0), (6, "⏎", 0.25),
    ]  # fmt: skip
    assert example_lines.chips_of(()) == []


HISTOGRAM = StoreHistogram((0.0, 1.0, 2.0, 3.0, 4.0), (5, 0, 3, 2))


def test_a_bar_of_the_histogram_means_its_range() -> None:
    (bars,) = feature_figures.activations_figure(HISTOGRAM, None).data
    assert list(bars.y) == [5, 3, 2]
    assert list(bars.customdata) == [[0.0, 1.0], [2.0, 3.0], [3.0, None]]  # the last is closed
    assert "50.0 % of its activations" in bars.text[0]


def test_silent_tokens_have_a_bar_of_their_own_and_counts_may_be_logarithmic() -> None:
    figure = feature_figures.activations_figure(HISTOGRAM, 990, log=True, chosen=(1.0, None))
    silent = figure.data[1]
    assert list(silent.y) == [990]
    assert silent.x[0] < 0
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.shapes[0].x0 == 1.0
    empty = feature_figures.activations_figure(StoreHistogram((), ()), None)
    assert not empty.data[0].y


@pytest.mark.parametrize("text", MARKUP)
def test_no_token_becomes_markup_in_a_figure(text: str) -> None:
    weights = (TokenWeight(3, text, 0.5, None), TokenWeight(4, text, 0.4, 2.0))
    figure = feature_figures.weights_figure(weights, "weight", "dark")
    shown = figure.data[1]
    assert len(set(shown.y)) == 2
    assert all("<" not in tick for tick in figure.layout.yaxis.ticktext)
    assert all(text not in words for words in shown.customdata)


def test_related_features_lead_to_their_pages_and_to_a_comparison() -> None:
    one = RelatedFeature(566, 105.0, 105, 38.04, "cats", 400, (" cat", "\n"))
    shown = sent(feature_lists.related_table("count", [one], SAE, 12, "ext_1"))
    for said in (f"/features/{SAE}/566?store=ext_1", "38.0", "105", "·cat", "⏎", "cats",
                 f"f={SAE}:12&f={SAE}:566", " with feature 566"):  # fmt: skip
        assert said in shown
    near = replace(one, value=0.875, count=None, expected=None)
    shown = sent(feature_lists.related_table("cosine", [near], SAE, 12, None))
    assert "0.875" in shown
    assert "Together" not in shown


def test_tokens_and_groups_show_what_was_counted() -> None:
    use = TokenUse(3, " cat", 24, 0.124, 30.2, 0.289, 89.9)
    shown = sent(feature_lists.uses_table("Fires at", [use]))
    for said in ("·cat", "12.4 %", "30.2", "28.9 %", "89.9"):
        assert said in shown
    assert "Fires at" not in sent(feature_lists.uses_table("Before", [replace(use, fires=None)]))
    assert "0.018" in sent(feature_lists.rank_table([ScoredToken(3, ".", 0.018, 41)]))
    group = MetadataGroup("a\u202eb", 7, 5, 900, 90, 0.1, 2.0, Bounds(1.5, 2.7), 3.0, 8.0)
    silent = MetadataGroup(None, 3, 0, 100, 0, 0.0, 0.0, None, None, None)
    shown = sent(feature_lists.groups_table("kind", [group, silent], lambda value: {"v": value}))
    for said in ("a\\\\u202eb", "1.5 – 2.7", "10.0 %", '"none"'):
        assert said in shown
    assert shown.count('"Button"') == 1  # what has no activations has no examples
