"""What the pages about the features of an SAE have in common: their tabs."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote, urlencode

import dash_mantine_components as dmc
from dash import html

Tab = Literal["table", "map", "compare", "labels"]

_TABS: tuple[tuple[Tab, str, str], ...] = (
    ("table", "Table", "/features"),
    ("map", "Map", "/features/map"),
    ("compare", "Compare", "/features/compare"),
    ("labels", "Labels", "/labels"),
)


def feature_tabs(current: Tab | None, sae_id: str | None = None) -> html.Nav:
    """Links to the pages of the group, each about the same SAE; the current one is marked."""
    links = [
        dmc.Anchor(
            title, href=_href(path, sae_id), underline="never",
            className="as-tab as-current" if tab == current else "as-tab",
            **({"aria-current": "page"} if tab == current else {}),
        )
        for tab, title, path in _TABS
    ]  # fmt: skip
    return html.Nav(links, className="as-tabs", **{"aria-label": "Features"})


def _href(path: str, sae_id: str | None) -> str:
    return f"{path}?{urlencode({'sae': sae_id}, quote_via=quote)}" if sae_id else path
