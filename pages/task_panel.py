"""A task as the page follows it: by the id in the address, so that a reload keeps following.

The task belongs to the server; the page asks for it every so often until it is final.
"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate
from pydantic import Field

from components.feedback import error_alert
from components.icons import icon
from components.shell import section
from components.tasks import task_progress
from pages import clientside
from pages.callbacks import CallbackSet
from pages.context import services
from pages.ids import Task
from pages.outcome import outcome
from pages.url_state import UrlState
from services.errors import NotFound

callbacks = CallbackSet()

_TICK_MS = 400
_HIDDEN = {"display": "none"}


class Followed(UrlState):
    """The task that the address names."""

    task: str | None = Field(None, min_length=1, max_length=100)


def task_panel(query: Any) -> list[Any]:
    """The panel; hidden until there is a task."""
    task_id = Followed.parse(query).task
    cancel = dmc.Button(
        "Cancel", id=Task.CANCEL, variant="default", size="sm", leftSection=icon("stop", 16),
        style=_HIDDEN,
    )  # fmt: skip
    return [
        dcc.Store(id=Task.ID, data=task_id),
        dcc.Store(id=Task.ENDED),
        dcc.Store(id=Task.SINK),
        dcc.Interval(id=Task.TICK, interval=_TICK_MS, disabled=task_id is None),
        html.Div(id=Task.ERROR),
        html.Div(
            section("Progress", html.Div(id=Task.BOX), actions=cancel),
            id=Task.SECTION,
            style=_HIDDEN,
        ),
    ]


@callbacks.on(
    Output(Task.BOX, "children"),
    Output(Task.SECTION, "style"),
    Output(Task.CANCEL, "style"),
    Output(Task.TICK, "disabled"),
    Output(Task.ENDED, "data"),
    Input(Task.ID, "data"),
    Input(Task.TICK, "n_intervals"),
    prevent_initial_call=False,
    errors_in=Task.ERROR,
)
def show(task_id: Any, _ticks: Any) -> tuple[Any, ...]:
    """Where the task stands; what came of it once it is final."""
    task_id = Followed.parse({"task": task_id}).task
    if task_id is None:
        return None, _HIDDEN, _HIDDEN, True, no_update
    try:
        task = services().registry.task(task_id)
    except NotFound as error:  # the server was started again: nobody will ever finish it
        return error_alert(error.code, f"{error.message}: {_GONE}"), {}, _HIDDEN, True, no_update
    final = task.status.is_final
    shown = [task_progress(task), outcome(task) if final else None]
    return shown, {}, _HIDDEN if final else {}, final, task_id if final else no_update


_GONE = "tasks end with the server; what this one had added is in the lists"


@callbacks.on(
    Output(Task.CANCEL, "children"),
    Input(Task.CANCEL, "n_clicks"),
    State(Task.ID, "data"),
    errors_in=Task.ERROR,
)
def cancel(clicks: Any, task_id: Any) -> Any:
    """Stop the task; what it has added stays."""
    task_id = Followed.parse({"task": task_id}).task
    if not clicks or task_id is None:
        raise PreventUpdate
    services().registry.cancel(task_id)
    return no_update


callbacks.clientside(
    clientside.MIRROR_TASK,
    Output(Task.SINK, "data"),
    Input(Task.ID, "data"),
    State(Task.SECTION, "id"),
)
callbacks.clientside(
    "(id) => { const {no_update} = window.dash_clientside; return id ? false : no_update; }",
    Output(Task.TICK, "disabled", allow_duplicate=True),
    Input(Task.ID, "data"),
)
