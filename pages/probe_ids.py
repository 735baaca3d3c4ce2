"""The ids that the callbacks of the section of tests and probes name."""

from __future__ import annotations

from typing import Any

from dash import ALL


class Probe:
    """The feature on somebody's own text, and the texts that are kept."""

    SECTION = "probes"
    TEXT = "probe-text"
    READ_AS = "probe-read-as"
    TEST = "probe-test"
    ERROR = "probe-error"
    RESULT = "probe-result"
    TESTED = "probe-tested"  # the text that the result is of
    KEEP_BOX = "probe-keep-box"
    SAID = "probe-said"
    CHANGED = "probe-changed"  # another value once something was done to the probes
    THRESHOLD = "probe-threshold"
    MEASURE = "probe-measure"
    LIST = "probe-list"
    LIST_ERROR = "probe-list-error"


def keep(should: Any = ALL) -> dict[str, Any]:
    """The button that keeps the text as one on which the feature should fire ("fire") or not."""
    return {"type": "probe-keep", "should": should}


def remove_probe(probe: Any = ALL) -> dict[str, Any]:
    """The button that removes a probe."""
    return {"type": "probe-remove", "probe": probe}
