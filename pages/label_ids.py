"""The ids that the callbacks of labels name, on the feature's page and on the labels page."""

from __future__ import annotations

from typing import Any

from dash import ALL


class Labels:
    """The labels of one feature, on its page."""

    SECTION = "labels"
    ERROR = "feature-labels-error"
    LIST = "feature-labels-list"


class FeatureRuns:
    """The runs in which a feature fired, on its page."""

    SECTION = "runs"
    ERROR = "feature-runs-error"
    ITEMS = "feature-runs-items"
    ABOVE = "feature-runs-above"
    NOTHING = "feature-runs-nothing"
    MORE = "feature-runs-more"
    CURSOR = "feature-runs-cursor"
    ALL = "feature-runs-all"  # the link to the list of runs, with these filters


def author_field(at: Any = ALL) -> dict[str, Any]:
    """The field with the user's name; `at` says which of those on a page."""
    return {"type": "author-field", "at": at}
