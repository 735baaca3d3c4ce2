"""What an address without a page shows."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import html

from components.feedback import empty_state
from components.shell import page


def layout(**_query: Any) -> html.Div:
    """The page."""
    back = dmc.Anchor("Go to the playground", href="/")
    return page("Page not found", empty_state("Nothing lives here", "Check the address.", back))
