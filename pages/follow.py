"""Following a run that is under way, and stopping it.

The background callback only watches: the run belongs to the engine and to its database row, so
closing the page changes nothing. The slow tick finds the end of a run whose watcher was lost, for
instance by a restart of the server, and starts a new watcher when the old one fell silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dash import Input, Output, State, no_update, set_props
from dash.exceptions import PreventUpdate

from components.runs import live_progress
from components.token_strip import live_props
from pages.callbacks import CallbackSet
from pages.context import services
from pages.ids import Panel
from pages.run_actions import run_of
from pages.thread_manager import current_job
from services.types import LiveRun

callbacks = CallbackSet()

_POLL_MS = 250
_LOOK_EVERY_S = 0.2
_LIVE = ("tokens", "special", "segments", "streaming")


@callbacks.on(
    Output(Panel.WATCH, "data"),
    Input(Panel.FOLLOWED, "data"),
    background=True,
    interval=_POLL_MS,
    progress=[
        Output(Panel.PROGRESS, "children"),
        *(Output(Panel.LIVE, prop) for prop in _LIVE),
        Output(Panel.BEAT, "data"),
    ],
)
def follow(report: Callable[[list[Any]], None], followed: Any) -> str:
    """Show what the run writes until it is final.

    The end is announced by `set_props`: as an output it would make everything that depends on the
    run wait for as long as the run takes.
    """
    run_id = run_of(followed)
    for beat, live in enumerate(_snapshots(run_id)):
        props = live_props(live)
        report([live_progress(live), *(props[prop] for prop in _LIVE), {"run": run_id, "n": beat}])
    set_props(Panel.ENDED, {"data": {"run": run_id}})
    return run_id


def _snapshots(run_id: str) -> Iterator[LiveRun]:
    """The run's state every fifth of a second, until and including its final one."""
    while True:
        live = services().runs.live(run_id)
        yield live
        if live.status.is_final:
            return
        current_job().pause(_LOOK_EVERY_S)


@callbacks.on(
    Output(Panel.ENDED, "data"),
    Output(Panel.FOLLOWED, "data"),
    Output(Panel.HEARD, "data"),
    Input(Panel.TICK, "n_intervals"),
    State(Panel.RUN, "data"),
    State(Panel.BEAT, "data"),
    State(Panel.HEARD, "data"),
    errors_in=Panel.ERROR,
)
def look_after(n: Any, run_id: Any, beat: Any, heard: Any) -> tuple[Any, Any, Any]:
    """The run's end, or a new watcher when nothing was heard since the last tick."""
    run = run_of({"run": run_id})
    if services().runs.summary(run).status.is_final:
        return {"run": run}, no_update, no_update
    return no_update, {"run": run, "n": n} if beat == heard else no_update, beat


@callbacks.on(
    Output(Panel.STOP, "children"),
    Input(Panel.STOP, "n_clicks"),
    State(Panel.RUN, "data"),
    errors_in=Panel.ERROR,
)
def stop(clicks: Any, run_id: Any) -> Any:
    """Cancel the run; what it wrote is kept."""
    if not clicks:
        raise PreventUpdate
    services().runs.cancel(run_of({"run": run_id}))
    return no_update
