"""The Dash edge of the error tree: every exception becomes a sentence on the screen.

Errors of the tree are shown as they are. Anything else is a bug: the log gets the traceback, the
screen an incident id to find it by, never the traceback itself.
"""

from __future__ import annotations

from dash import set_props

from components import ids
from components.feedback import error_alert, notice
from services.errors import as_product_error


def notify(error: Exception) -> None:
    """Show the error as a notification; the outputs of the callback stay as they are."""
    shown = as_product_error(error)
    note = notice(shown.code.replace("_", " ").capitalize(), shown.message, kind="error")
    set_props(ids.Shell.NOTICES, {"sendNotifications": [note]})


def show_inline(slot: str, error: Exception) -> None:
    """Show the error inside the component `slot`; the outputs of the callback stay as they are."""
    shown = as_product_error(error)
    set_props(slot, {"children": error_alert(shown.code, shown.message, shown.details)})
