"""The question before something that cannot be taken back, wherever it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import dash_mantine_components as dmc
from dash import Input, Output, dcc, html, set_props

from components import ids
from components.feedback import notice
from pages.callbacks import CallbackSet


class Dialog(NamedTuple):
    """The ids of a dialog and of what the actions around it need on a page."""

    modal: str
    question: str  # what it says; filled in when it opens
    modal_error: str
    asked: str  # store: what the open dialog asks about
    changed: str  # store: what was done last
    error: str


def dialog(at: Dialog, *, title: str, yes: str, more: Sequence[Any] = ()) -> list[Any]:
    """The dialog, closed, with `more` under its question; and the stores."""
    buttons = [
        dmc.Button("Keep", id=ids.dismiss(at.modal), variant="default"),
        dmc.Button(yes, id=ids.confirm(at.modal), color="red"),
    ]
    modal = dmc.Modal(
        [
            html.Div(id=at.question),
            *more,
            html.Div(id=at.modal_error),
            dmc.Group(buttons, justify="flex-end", mt="lg"),
        ],
        id=at.modal, title=title, opened=False, centered=True, size="md",
        closeButtonProps={"aria-label": "Close"},
    )  # fmt: skip
    return [dcc.Store(id=at.changed), dcc.Store(id=at.asked), html.Div(id=at.error), modal]


def close(callbacks: CallbackSet, at: Dialog) -> None:
    """Whoever closes the dialog has answered: it asks about nothing any more."""
    callbacks.clientside(
        "() => [false, null]",
        Output(at.modal, "opened", allow_duplicate=True),
        Output(at.asked, "data", allow_duplicate=True),
        Input(ids.dismiss(at.modal), "n_clicks"),
    )
    callbacks.clientside(
        "(opened) => opened ? window.dash_clientside.no_update : null",
        Output(at.asked, "data", allow_duplicate=True),
        Input(at.modal, "opened"),
    )


def say(title: str, text: str) -> None:
    """A notice; not as an output: Dash would call at once what a new page's buttons feed."""
    note = notice(title, text, kind="done")
    set_props(ids.Shell.NOTICES, {"sendNotifications": [note]})
