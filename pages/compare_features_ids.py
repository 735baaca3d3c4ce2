"""The ids that the callbacks of the comparison name."""

from __future__ import annotations

from typing import Any

from dash import ALL


class Compare:
    """Features side by side."""

    PLACE = "compare-place"  # what the address carries
    SINK = "compare-sink"
    ERROR = "compare-error"
    CHOSEN = "compare-chosen"
    SAE = "compare-sae"
    NUMBER = "compare-number"
    ADD = "compare-add"
    ADD_ERROR = "compare-add-error"
    BODY = "compare-body"
    HISTOGRAMS = "compare-histograms"
    MARKDOWN = "compare-markdown"


def take_out(feature: Any = ALL) -> dict[str, Any]:
    """The button that takes a feature out."""
    return {"type": "compare-out", "feature": feature}


def put_in(feature: Any = ALL) -> dict[str, Any]:
    """The button that takes a suggested feature in."""
    return {"type": "compare-in", "feature": feature}
