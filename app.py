"""The composition root: settings in, application out. `python app.py` serves it."""

from __future__ import annotations

import sys
from contextvars import copy_context
from pathlib import Path

from dash import Dash
from dash._get_app import app_context

import pages
from components.shell import app_shell, connect
from components.theme import INDEX_STRING
from pages.context import bind
from pages.errors import notify
from pages.thread_manager import ThreadManager
from services.container import Container
from services.errors import ActiscopeError
from services.settings import Settings, read_settings
from services.web.serve import serve
from services.web.server import install, make_server

_ASSETS = Path(__file__).resolve().parent / "assets"


def create_app(settings: Settings) -> Dash:
    """The application over its own container; several may live in one process.

    Raises:
        Unavailable: the database cannot be reached or upgraded.
    """
    container = Container(settings)
    app = Dash(
        "actiscope",
        server=make_server(settings),
        title="Actiscope",
        update_title=None,
        index_string=INDEX_STRING,
        assets_folder=str(_ASSETS),
        use_pages=True,
        pages_folder="",
        background_callback_manager=ThreadManager(str(settings.home / "cache")),
        on_error=notify,
        serve_locally=True,
    )
    bind(app, container)
    pages.install(app)
    connect(app)
    app.layout = app_shell(pages.NAV)
    copy_context().run(_set_up, app)
    install(app.server, container, lambda: list(app.csp_hashes()))
    container.jobs.work()
    return app


def _set_up(app: Dash) -> None:
    """Do now what Dash does within the first request: a second request would see half of it.

    Raises whatever a page's layout raises.
    """
    app_context.set(app)  # as a request would: layouts ask for the app that they belong to
    with app.server.test_request_context("/"):
        app.server.preprocess_request()


def main() -> None:
    """Serve with the settings of the environment."""
    try:
        settings = read_settings()
        serve(create_app(settings).server, settings)
    except ActiscopeError as error:
        sys.exit(f"actiscope: {error.message}")


if __name__ == "__main__":
    main()
