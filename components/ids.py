"""The ids of what every page has: the shell and the buttons of dialogs."""

from __future__ import annotations

from typing import Any


class Shell:
    """Present on every page."""

    PROVIDER = "shell-provider"
    APP = "shell"
    NAV = "shell-nav"
    BURGER = "shell-burger"
    SCHEME = "shell-scheme"
    MAIN = "main"
    NOTICES = "shell-notices"
    TEMPLATES = "shell-figure-templates"
    LOCATION = "shell-location"
    SINK = "shell-sink"  # where clientside effects without a result write nothing
    AUTHOR = "shell-author"  # the user's name, kept by the browser


def nav(paths: Any) -> dict[str, Any]:
    """The entry of the rail for these paths, separated by spaces (or `ALL`)."""
    return {"type": "nav", "paths": paths}


def confirm(name: str) -> dict[str, str]:
    """The confirming button of the modal `name`."""
    return {"type": "confirm", "name": name}


def dismiss(name: str) -> dict[str, str]:
    """The dismissing button of the modal `name`."""
    return {"type": "dismiss", "name": name}
