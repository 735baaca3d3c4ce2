"""The ids that the callbacks of a feature's page name."""

from __future__ import annotations

from typing import Any

from dash import ALL


class FeatureIds:
    """The page of one feature."""

    PLACE = "feature-place"  # {sae, feature, store}; None where the address names no feature
    VIEW = "feature-view"  # what the address carries: which examples, how they are shown
    SINK = "feature-sink"
    HEAD = "feature-head"
    HEAD_ERROR = "feature-head-error"
    STAR = "feature-star"
    STAR_ERROR = "feature-star-error"
    CHANGED = "feature-changed"  # counts what was said of the feature: label, star
    RANDOM = "feature-random"
    OTHER = "feature-other"  # number of the feature to compare with
    COMPARE = "feature-compare"
    NUMBERS = "feature-numbers"
    NUMBERS_ERROR = "feature-numbers-error"
    HISTOGRAM = "feature-histogram"
    HISTOGRAM_BOX = "feature-histogram-box"
    INTERVALS = "feature-intervals"
    INTERVALS_ERROR = "feature-intervals-error"
    EXAMPLES = "feature-examples"
    EXAMPLES_ERROR = "feature-examples-error"
    EXAMPLES_PLACE = "feature-examples-place"  # how many of how many are shown
    MORE = "feature-examples-more"
    CURSOR = "feature-examples-cursor"
    RESET = "feature-range-reset"
    DOCUMENT = "feature-document"  # the dialog with a whole document
    DOCUMENT_BODY = "feature-document-body"
    DOCUMENT_ERROR = "feature-document-error"
    DECODER = "feature-decoder"
    DECODER_ERROR = "feature-decoder-error"
    TOKENS = "feature-tokens"
    TOKENS_ERROR = "feature-tokens-error"
    BREAKDOWN = "feature-breakdown"
    BREAKDOWN_ERROR = "feature-breakdown-error"
    CODE = "feature-code"
    CODE_ERROR = "feature-code-error"


def view_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value is the field `name` of the view."""
    return {"type": "feature-field", "name": name}


def related(by: Any = ALL) -> dict[str, Any]:
    """The list of features that are related in the way `by`."""
    return {"type": "feature-related", "by": by}


def related_error(by: Any = ALL) -> dict[str, Any]:
    """Where an error of that list is shown."""
    return {"type": "feature-related-error", "by": by}


def interval_lines(number: Any = ALL) -> dict[str, Any]:
    """The examples of an interval."""
    return {"type": "feature-interval-lines", "number": number}


def show_range(low: Any = ALL, high: Any = ALL) -> dict[str, Any]:
    """The button that shows the examples of a range of activations."""
    return {"type": "feature-range", "low": low, "high": high}


def show_group(value: Any = ALL) -> dict[str, Any]:
    """The button that shows the examples of the documents with a value of metadata, as JSON."""
    return {"type": "feature-group", "value": value}
