"""The ids that the callbacks of a feature's page name."""

from __future__ import annotations

from typing import Any

from dash import ALL


class FeatureIds:
    """The page of one feature."""

    PLACE = "feature-place"  # {sae, feature, store}; absent where the address names no feature
    CHANGED = "feature-changed"  # counts what was said of the feature: labels, stars
    VIEW = "feature-view"  # what the address carries: which examples, how they are shown
    SINK = "feature-sink"
    HEAD = "feature-head"
    HEAD_ERROR = "feature-head-error"
    NAME = "feature-name"  # label and star
    STAR = "feature-star"
    STAR_ERROR = "feature-star-error"
    RANDOM = "feature-random"
    OTHER = "feature-other"  # number of the feature to compare with
    COMPARE = "feature-compare"
    ACTIVATIONS = "feature-activations"
    ACTIVATIONS_ERROR = "feature-activations-error"
    INTERVALS = "feature-intervals"
    INTERVALS_ERROR = "feature-intervals-error"
    EXAMPLES = "feature-examples"
    EXAMPLES_ERROR = "feature-examples-error"
    EXAMPLES_PLACE = "feature-examples-place"  # how many of how many are shown
    CURSOR = "feature-examples-cursor"
    MORE = "feature-examples-more"
    AGAIN = "feature-examples-again"  # others, of the random order
    RESET = "feature-examples-all"  # of all values and documents
    DOCUMENT = "feature-document"  # the dialog with a whole document
    DOCUMENT_BODY = "feature-document-body"
    DOCUMENT_FACTS = "feature-document-facts"
    DOCUMENT_PART = "feature-document-part"  # the tokens of it that are shown
    DOCUMENT_PLACE = "feature-document-place"  # the same in words
    EARLIER = "feature-document-earlier"
    LATER = "feature-document-later"
    DOCUMENT_ERROR = "feature-document-error"
    DECODER = "feature-decoder"
    DECODER_ERROR = "feature-decoder-error"
    TOKENS = "feature-tokens"
    TOKENS_ERROR = "feature-tokens-error"
    BREAKDOWN = "feature-breakdown"
    BREAKDOWN_ERROR = "feature-breakdown-error"
    CODE = "feature-code"
    CODE_ERROR = "feature-code-error"


def part(name: Any = ALL) -> dict[str, Any]:
    """What of the view the section `name` shows: it changes when that does."""
    return {"type": "feature-part", "name": name}


def view_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value is the field `name` of the view."""
    return {"type": "feature-field", "name": name}


def figure_of(name: Any = ALL) -> dict[str, Any]:
    """A figure in which ranges of activations can be chosen."""
    return {"type": "feature-figure", "name": name}


def lines_of(name: Any = ALL) -> dict[str, Any]:
    """Examples: "examples", or the number of their interval."""
    return {"type": "feature-lines", "name": str(name) if isinstance(name, int) else name}


def show_range(low: Any = ALL, high: Any = ALL, where: Any = ALL) -> dict[str, Any]:
    """The button that shows the examples of a range; `where` it stands makes it one of its kind."""
    return {"type": "feature-range", "low": low, "high": high, "where": where}


def show_group(column: Any = ALL, value: Any = ALL) -> dict[str, Any]:
    """The button for the examples of documents with this value (as JSON) of a metadata column."""
    return {"type": "feature-group", "column": column, "value": value}


def related(by: str) -> str:
    """The features that are related in the way `by`."""
    return f"feature-related-{by}"


def related_error(by: str) -> str:
    """Where an error of that list is shown."""
    return f"feature-related-{by}-error"
