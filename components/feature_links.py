"""Where the page of a feature is: the one place that knows how its address is written."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

PATH = "/features"


def feature_href(sae_id: str, feature_id: int, **query: Any) -> str:
    """The page of a feature; what is None in `query` is left out."""
    return f"{PATH}/{quote(sae_id)}/{feature_id}{_asked(query)}"


def features_href(sae_id: str, **query: Any) -> str:
    """The table of an SAE's features; what is None in `query` is left out."""
    return f"{PATH}{_asked({'sae': sae_id, **query})}"


def compare_href(*features: tuple[str, int]) -> str:
    """Features side by side, each by its SAE and number."""
    asked = [("f", f"{sae_id}:{feature_id}") for sae_id, feature_id in features]
    return f"{PATH}/compare?{urlencode(asked, quote_via=quote, safe='/:')}"


def _asked(query: dict[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"?{urlencode(given, quote_via=quote, doseq=True)}" if given else ""
