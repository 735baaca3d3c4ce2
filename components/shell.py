"""The frame around every page: rail, header, scheme toggle, notices, skip link.

On wide screens the navigation is a narrow rail; under 768 px it opens from a burger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dash
import dash_mantine_components as dmc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, dcc, html

from components import ids
from components.figure_theme import TEMPLATES
from components.icons import icon
from components.theme import THEME

RAIL_WIDTH = 88
HEADER_HEIGHT = 52


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry of the rail; `icon` is a name of components.icons.

    It is lit on its page, on those below it, and on the pages named in `also`.
    """

    label: str
    href: str
    icon: str
    also: tuple[str, ...] = ()


def app_shell(nav: Sequence[NavItem], content: Any = None) -> Any:
    """The whole application; `content` defaults to the page container.

    Call `connect(app)` once as well, or the burger and the scheme toggle do nothing.
    """
    return dmc.MantineProvider(
        id=ids.Shell.PROVIDER,
        theme=THEME,
        defaultColorScheme="auto",
        children=[
            html.A("Skip to content", href=f"#{ids.Shell.MAIN}", className="as-skip"),
            dcc.Store(id=ids.Shell.TEMPLATES, data=TEMPLATES),
            dcc.Store(id=ids.Shell.SINK),
            dcc.Store(id=ids.Shell.AUTHOR, storage_type="local"),
            dcc.Location(id=ids.Shell.LOCATION, refresh="callback-nav"),
            dmc.NotificationContainer(id=ids.Shell.NOTICES, position="bottom-right"),
            dmc.AppShell(
                [
                    _header(),
                    _rail(nav),
                    dmc.AppShellMain(
                        dash.page_container if content is None else content,
                        id=ids.Shell.MAIN,
                        tabIndex=-1,
                    ),
                ],
                id=ids.Shell.APP,
                className="as-shell",
                header={"height": HEADER_HEIGHT},
                navbar=_navbar(opened=False),
                padding={"base": "sm", "sm": "lg"},
            ),
        ],
    )


def page(title: str, children: Any, *, actions: Any = None, intro: str | None = None) -> html.Div:
    """A page's frame: its one h1, an optional sentence under it, actions at the right."""
    heading = html.Div(
        [
            dmc.Title(title, order=1),
            None if intro is None else dmc.Text(intro, size="md", className="as-muted"),
        ]
    )
    return html.Div(
        [
            dmc.Group([heading, dmc.Group(actions, gap="xs")], justify="space-between"),
            *(children if isinstance(children, list | tuple) else [children]),
        ],
        className="as-page",
    )


def section(
    title: str, children: Any, *, actions: Any = None, note: Any = None, id: str | None = None
) -> Any:
    """A titled panel of a page, with an h2, controls at its right and a note under the title."""
    more = {} if id is None else {"id": id}
    return dmc.Paper(
        [
            dmc.Group(
                [dmc.Title(title, order=2), dmc.Group(actions, gap="xs")],
                justify="space-between",
                className="as-section-head",
            ),
            None
            if note is None
            else dmc.Text(note, size="sm", className="as-muted as-section-note"),
            *(children if isinstance(children, list | tuple) else [children]),
        ],
        className="as-section",
        **more,
    )


def connect(app: Dash) -> None:
    """Registers what the shell does in the browser: scheme, burger, rail on navigation."""
    effect = "actiscope"
    app.clientside_callback(
        ClientsideFunction(effect, "syncScheme"),
        Output(ids.Shell.SINK, "data"),
        Input(ids.Shell.SCHEME, "computedColorScheme"),
        State(ids.Shell.TEMPLATES, "data"),
    )
    app.clientside_callback(
        ClientsideFunction(effect, "toggleRail"),
        Output(ids.Shell.APP, "navbar"),
        Input(ids.Shell.BURGER, "opened"),
        State(ids.Shell.APP, "navbar"),
    )
    app.clientside_callback(
        ClientsideFunction(effect, "closeRail"),
        Output(ids.Shell.BURGER, "opened"),
        Input(ids.Shell.LOCATION, "pathname"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction(effect, "lightRail"),
        Output(ids.nav(ALL), "active"),
        Input(ids.Shell.LOCATION, "pathname"),
    )


def _navbar(*, opened: bool) -> dict[str, Any]:
    return {"width": RAIL_WIDTH, "breakpoint": "sm", "collapsed": {"mobile": not opened}}


def _header() -> dmc.AppShellHeader:
    burger = dmc.Burger(
        id=ids.Shell.BURGER,
        opened=False,
        hiddenFrom="sm",
        size="sm",
        **{"aria-label": "Open navigation"},
    )
    brand = dcc.Link(
        [html.Span(icon("logo", 20), className="as-brand-mark"), "Actiscope"],
        href="/",
        className="as-brand",
    )
    toggle = dmc.ColorSchemeToggle(
        id=ids.Shell.SCHEME,
        lightIcon=icon("sun"),
        darkIcon=icon("moon"),
        size="lg",
        color="gray",
        **{"aria-label": "Switch between light and dark"},
    )
    return dmc.AppShellHeader(
        dmc.Group(
            [
                dmc.Group([burger, brand], gap="xs", wrap="nowrap"),
                toggle,
            ],
            justify="space-between",
            h="100%",
            px="md",
            wrap="nowrap",
        )
    )


def _rail(nav: Sequence[NavItem]) -> dmc.AppShellNavbar:
    links = [
        dmc.NavLink(
            label=item.label,
            id=ids.nav(" ".join((item.href, *item.also))),
            href=item.href,
            leftSection=icon(item.icon, 20),
            className="as-nav",
        )
        for item in nav
    ]
    return dmc.AppShellNavbar(
        html.Nav(links, **{"aria-label": "Main"}), id=ids.Shell.NAV, className="as-rail"
    )
