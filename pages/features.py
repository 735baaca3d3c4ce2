"""The table of all features of an SAE: searched, filtered, sorted, edited, exported."""

from __future__ import annotations

from typing import Any

from dash import html

from components.feature_tabs import feature_tabs
from components.shell import page
from pages.callbacks import CallbackSet

callbacks = CallbackSet()

PATH = "/features"


def layout(**query: Any) -> html.Div:
    """The page, with what its query string names."""
    sae = query.get("sae")
    return page("Features", [feature_tabs("table", sae if isinstance(sae, str) else None)])
