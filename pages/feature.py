"""One feature: what it is called, what it fires on, what it writes, which others are like it.

Every section loads by itself, so that what is known at once is seen at once.
"""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from components.entries import listed
from components.feature_links import features_href
from components.feedback import empty_state, loading
from components.shell import page
from pages import feature_labels, feature_runs
from pages.callbacks import CallbackSet
from pages.feature_ids import FeatureIds
from pages.feature_state import EvidenceState, Place

callbacks = CallbackSet()

PATH = "/features/<sae>/<feature>"


def layout(sae: Any = None, feature: Any = None, **query: Any) -> html.Div:
    """The page of the feature that the path names."""
    place, state = Place.of_path(sae, feature, query), EvidenceState.parse(query)
    named = place.named
    if named is None:
        return page("Feature", _nothing())
    body = [
        dcc.Store(id=FeatureIds.PLACE, data=place.as_data()),
        dcc.Store(id=FeatureIds.VIEW, data=state.as_data()),
        dcc.Store(id=FeatureIds.SINK),
        html.Div(id=FeatureIds.HEAD_ERROR),
        html.Div(loading(), id=FeatureIds.HEAD),
        feature_labels.section_for(),
        feature_runs.section_for(),
    ]
    link = dcc.Link("All features", href=features_href(named[0]))
    return page(f"Feature {named[1]} of {named[0]}", body, actions=[link])


def title(sae: str = "", feature: str = "", **_query: Any) -> str:
    """The title of the browser's window."""
    named = Place.of_path(sae, feature, {}).named
    return "Feature · Actiscope" if named is None else f"#{named[1]} of {named[0]} · Actiscope"


def _nothing() -> Any:
    link = dcc.Link("All SAEs", href=listed("/saes"))
    text = "The address names an SAE and the number of one of its features."
    return empty_state("No such feature", text, link, icon_name="features")
