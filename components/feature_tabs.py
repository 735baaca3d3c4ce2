"""What the pages about the features of an SAE have in common: their tabs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import html

Tab = Literal["table", "map", "compare", "labels"]

_TABS: tuple[tuple[Tab, str, str], ...] = (
    ("table", "Table", "/features"),
    ("map", "Map", "/features/map"),
    ("compare", "Compare", "/features/compare"),
    ("labels", "Labels", "/labels"),
)


def table_href(sae_id: str | None = None, **query: Any) -> str:
    """The table of features, of an SAE if one is named, with what the query narrows it to."""
    return _href("/features", sae_id, query)


def feature_tabs(current: Tab | None, sae_id: str | None = None) -> html.Nav:
    """Links to the pages of the group, each about the same SAE; the current one is marked."""
    links = [
        dmc.Anchor(
            title, href=_href(path, sae_id, {}), underline="never",
            className="as-tab as-current" if tab == current else "as-tab",
            **({"aria-current": "page"} if tab == current else {}),
        )
        for tab, title, path in _TABS
    ]  # fmt: skip
    return html.Nav(links, className="as-tabs", **{"aria-label": "Features"})


def _href(path: str, sae_id: str | None, query: Mapping[str, Any]) -> str:
    given = ({"sae": sae_id} if sae_id else {}) | dict(query)
    return f"{path}?{urlencode(given)}" if given else path
