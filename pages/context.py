"""The way from a callback to the services: the container of the app that handles this request."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dash import Dash, get_app

if TYPE_CHECKING:
    from services.container import Container

_KEY = "ACTISCOPE_CONTAINER"


def bind(app: Dash, container: Container) -> None:
    """Let the callbacks and layouts of `app` reach `container`."""
    app.server.config[_KEY] = container


def container_of(app: Dash) -> Container:
    """The container that `bind` gave to `app`."""
    return cast("Container", app.server.config[_KEY])


def services() -> Container:
    """The container of the app whose request or background callback this is."""
    return container_of(get_app())
