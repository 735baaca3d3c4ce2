"""Extractions, estimates and features of a store are shown by the numbers that they have."""

from __future__ import annotations

import json
from typing import Any

import plotly.utils
import pytest

from components import estimates, extraction_figures, extractions, sae_picks, store_features
from components.token_text import readable
from services.types import EntryState, ExtractionLive, JobStatus, Source
from services.types.stores import FeaturesPage
from tests.unit.components.made import HOSTILE
from tests.unit.components.made_extractions import (
    make_context,
    make_estimate,
    make_extraction,
    make_extraction_live,
    make_feature,
)
from tests.unit.components.made_registry import make_sae

ID = {"type": "made", "feature": 12}


def sent(component: Any) -> str:
    """The component as the browser receives it."""
    return json.dumps(component, cls=plotly.utils.PlotlyJSONEncoder, ensure_ascii=False)


@pytest.mark.parametrize("status", list(JobStatus))
@pytest.mark.parametrize("source", [*Source, None])
def test_a_card_says_where_it_stands_and_where_its_sae_came_from(
    status: JobStatus, source: Source | None
) -> None:
    text = sent(extractions.extraction_card(make_extraction(status), source, []))
    word = {"queued": "Waiting", "running": "Running", "succeeded": "Done"}.get(status)
    assert (word or str(status).capitalize()) in text
    names = {Source.TRAINED: "Trained here", Source.HUGGINGFACE: "Hugging Face",
             Source.CATALOGUE: "Catalogue", Source.LOCAL: "Local"}  # fmt: skip
    assert (names[source] if source else "No longer registered") in text
    assert "Demo corpus" in text


def test_what_runs_shows_amount_rate_and_time_left() -> None:
    text = sent(extractions.extraction_card(make_extraction(), None, []))
    for said in ("500,000 of 1,000,000 tokens", "14,321 tokens/s", "35 s left", "36.7", "3.97 %"):
        assert said in text


def test_what_failed_shows_why_as_text() -> None:
    view = make_extraction(JobStatus.FAILED)
    assert "The disk is full. <b>" in sent(extractions.extraction_card(view, None, []))


def test_the_summary_has_what_was_read_and_found() -> None:
    text = sent(extractions.summary_numbers(make_extraction(JobStatus.SUCCEEDED)))
    for said in ("500,000", "18,000,000", "2,272", "36.7", "41.2", "412 MB", "4 s", "125,000/s"):
        assert said in text
    nothing = make_extraction(JobStatus.QUEUED)
    assert "–" in sent(extractions.summary_numbers(nothing))


def test_speed_is_the_rate_between_two_moments() -> None:
    at, rates = extraction_figures.speeds((1.0, 2.0, 4.0), (100, 300, 400))
    assert at == [0.0, 1.0, 2.0, 4.0]
    assert rates == [100.0, 200.0, 50.0, 50.0]
    assert extraction_figures.speeds((), ()) == ([], [])
    assert extraction_figures.speeds((0.0, 0.0), (0, 5)) == ([], [])


def test_figures_have_the_given_counts_without_the_empty_ends() -> None:
    live = make_extraction_live()
    bars = extraction_figures.density_figure(live).data[0]
    assert sum(bars.y) == sum(live.density_counts) == 1475
    assert bars.y[0] > 0
    assert bars.y[-1] > 0
    assert sum(extraction_figures.l0_figure(live).data[0].y) == 1000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_stand_before_there_is_anything(scheme: Any) -> None:
    for draw in (extraction_figures.speed_figure, extraction_figures.density_figure,
                 extraction_figures.l0_figure):  # fmt: skip
        assert len(draw(ExtractionLive(), scheme).data[0].y) == 0


def test_an_estimate_that_does_not_fit_says_so() -> None:
    assert "does not fit" not in sent(estimates.estimate_panel(make_estimate()))
    for wrong in ({"memory_bytes": 10**12}, {"free_disk_bytes": 1000}):
        assert sent(estimates.estimate_panel(make_estimate(**wrong))).count("does not fit") == 1


def test_an_estimate_shows_what_is_not_known_as_such() -> None:
    text = sent(estimates.estimate_panel(make_estimate(seconds=None, free_disk_bytes=None)))
    assert "does not fit" not in text
    assert "15 assumed" in text
    several = {"a": {"l0": 15.0, "disk_bytes": 1e6}, "b": {"l0": 20.0, "disk_bytes": 2e6}}
    assert "Per SAE" in sent(estimates.estimate_panel(make_estimate(per_sae=several)))


def test_an_sae_that_cannot_be_used_says_why() -> None:
    assert sae_picks.hindrance(make_sae(), True) is None
    assert "actiscope-demo is not on" in str(sae_picks.hindrance(make_sae(), False))
    broken = make_sae(state=EntryState.UNUSABLE, problem="its file is cut")
    why = sae_picks.hindrance(broken, True)
    assert why == "its file is cut"
    row = sae_picks.pick_row(broken, ID, chosen=False, disabled=True, why=why)
    assert "its file is cut" in sent(row)


def test_a_table_has_columns_for_what_is_known() -> None:
    live = {"feature": 3, "n": 10, "token_density": 0.5, "max": None, "mean": None}
    page = FeaturesPage((live,), 1, None)
    text = sent(store_features.features_table(page, {}, lambda f: ID, None, str))
    assert "Largest" not in text
    full = FeaturesPage(({**live, "n_documents": 4, "max": 2.5, "mean": 1.5},), 1, None)
    tops = {3: [" cat"]}
    text = sent(store_features.features_table(full, tops, lambda f: ID, 3, "/page-{}".format))
    for said in ("Largest", "2.5", "50.0 %", "·cat", "as-current", "/page-3"):
        assert said in text


def test_a_feature_shows_its_statistics_and_examples() -> None:
    text = sent(store_features.feature_panel(make_feature(), "light"))
    for said in ("3,000", "1.23 %", " cat", "activation 8", "document 7", "Mark"):
        assert said in text
    assert store_features.top_tokens(make_feature()) == [" cat", " dog"]


def test_a_dead_feature_says_so() -> None:
    dead = make_feature(is_dead=True, n=0, max=None, top=(), histogram=make_feature().log_histogram)
    assert "fired nowhere." in sent(store_features.feature_panel(dead, "dark"))


def test_text_that_hides_or_reorders_is_written_as_signs() -> None:
    assert readable(" cat\n") == " cat⏎"
    for text in HOSTILE:
        context = make_context((text, "x"), 1, (1.0, 2.0))
        shown = store_features.context_tokens(context, 2.0)[0].children
        assert "\u202e" not in shown
        assert "\n" not in shown


def test_without_a_vocabulary_token_numbers_stand_for_text() -> None:
    context = make_context(("a", "b"), 0, (1.0, 0.0))
    bare = type(context)(100, 7, 100, (5, 6), (None, None), (), None, (1.0, 0.0))
    assert [one.children for one in store_features.context_tokens(bare, 1.0)] == ["[5]", "[6]"]
