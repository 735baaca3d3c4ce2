"""Whether the product can do its work, part by part."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, html

from components.feedback import loading
from components.health import health_view
from components.icons import icon
from components.shell import page
from pages.callbacks import CallbackSet
from pages.context import services
from pages.ids import Health

callbacks = CallbackSet()


def layout(**_query: Any) -> html.Div:
    """The page; the checks run once it is open."""
    refresh = dmc.Button(
        "Refresh", id=Health.REFRESH, variant="default", leftSection=icon("rerun", 16)
    )
    body = [html.Div(id=Health.ERROR), html.Div(loading(), id=Health.CONTENT)]
    return page("Health", body, actions=[refresh])


@callbacks.on(
    Output(Health.CONTENT, "children"),
    Input(Health.REFRESH, "n_clicks"),
    prevent_initial_call=False,
    errors_in=Health.ERROR,
)
def check(_clicks: Any) -> Any:
    """Every check, made now."""
    return health_view(services().health())
