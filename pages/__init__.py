"""The screens: one module each, layout and thin callbacks (parse, one service call, render)."""

from __future__ import annotations

import dash
from dash import Dash

from components.shell import NavItem
from pages import follow, health, not_found_404, panel_callbacks, playground, run, runs

NAV = (
    NavItem("Playground", "/", "playground"),
    NavItem("Runs", "/runs", "runs"),
    NavItem("Health", "/health", "health"),
)


def install(app: Dash) -> None:
    """Register the pages and attach their callbacks to `app`."""
    dash.page_registry.clear()  # it is the process's, and may hold the pages of another app
    _page("playground", playground.layout, "Playground", path=playground.PATH)
    _page("runs", runs.layout, "Runs", path=runs.PATH)
    _page("run", run.layout, run.title, path_template="/runs/<run_id>")
    _page("health", health.layout, "Health", path="/health")
    _page("not_found_404", not_found_404.layout, "Page not found", path="/404")
    for module in (playground, panel_callbacks, follow, run, runs, health):
        module.callbacks.install(app)


def _page(name: str, layout: object, title: object, **where: str) -> None:
    text = f"{title} · Actiscope" if isinstance(title, str) else title
    dash.register_page(f"pages.{name}", layout=layout, title=text, name=name, **where)
