"""A durable job as a page follows it: by the id in the address, so that a reload keeps following.

The job is a row of the database; the page reads it every so often until it is final. It survives
the server, so that a page that was left open goes on by itself after a restart.
"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update, set_props
from dash.exceptions import PreventUpdate

from components.feedback import loading
from components.icons import icon
from components.job_details import log_lines, outcome
from components.jobs import job_progress
from components.shell import section
from pages import clientside_jobs
from pages.callbacks import CallbackSet
from pages.context import services
from pages.job_ids import Job, JobName
from services.errors import NotFound
from services.types import JobStatus, JobView

callbacks = CallbackSet()

_TICK_MS = 700
_HIDDEN = {"display": "none"}


def job_panel(job_id: str | None, *, parameter: str = "job", with_log: bool = False) -> list[Any]:
    """The panel; hidden until there is a job. Its id stands in the address as `parameter`."""
    buttons = [
        dmc.Button("Cancel", id=Job.CANCEL, variant="default", size="sm", style=_HIDDEN,
                   leftSection=icon("stop", 16)),
        dmc.Button("Retry", id=Job.RETRY, variant="default", size="sm", style=_HIDDEN,
                   leftSection=icon("rerun", 16)),
    ]  # fmt: skip
    log = html.Div(id=Job.LOG, className="as-log", role="log", tabIndex=0, **{"aria-label": "Log"})
    box = [html.Div(loading(2), id=Job.BOX), None if with_log else _folded(log)]
    style = {} if job_id else _HIDDEN
    stores = {Job.ID: job_id, Job.PARAMETER: parameter}
    return [
        *(dcc.Store(id=id, data=data) for id, data in stores.items()),
        *(dcc.Store(id=id) for id in (Job.SINK, Job.SEEN, Job.LINE, Job.CHANGED)),
        dcc.Interval(id=Job.TICK, interval=_TICK_MS, disabled=job_id is None),
        html.Div(id=Job.ERROR),
        html.Div(section("Progress", box, actions=buttons), id=Job.SECTION, style=style),
        html.Div(section("Log", log), id=Job.LOG_SECTION, style=_HIDDEN) if with_log else None,
    ]


def _folded(log: Any) -> html.Div:
    details = html.Details([html.Summary("Log"), log], className="as-details")
    return html.Div(details, id=Job.LOG_SECTION, style=_HIDDEN)


@callbacks.on(
    Output(Job.BOX, "children"),
    Output(Job.SECTION, "style"),
    Output(Job.CANCEL, "style"),
    Output(Job.CANCEL, "disabled"),
    Output(Job.RETRY, "style"),
    Output(Job.RETRY, "children"),
    Output(Job.TICK, "disabled"),
    Output(Job.SEEN, "data"),
    Input(Job.ID, "data"),
    Input(Job.TICK, "n_intervals"),
    Input(Job.CHANGED, "data"),
    State(Job.SEEN, "data"),
    prevent_initial_call=False,
    errors_in=Job.ERROR,
)
def show(job_id: Any, _ticks: Any, _changed: Any, seen: Any) -> tuple[Any, ...]:
    """Where the job stands, and what can be done with it."""
    name = JobName.parse({"id": job_id}).id
    if name is None:
        return None, _HIDDEN, _HIDDEN, False, _HIDDEN, no_update, True, no_update
    job = _job(name)
    is_final = job.status.is_final
    stamp = {"id": name, "status": job.status.value, "attempt": job.attempt}
    return (
        [job_progress(job), outcome(job)],
        {},
        _HIDDEN if is_final else {},
        job.is_cancelling,
        {} if job.status in (JobStatus.FAILED, JobStatus.CANCELLED) else _HIDDEN,
        _again(job),
        is_final,
        no_update if seen == stamp else stamp,
    )


def _job(job_id: str) -> JobView:
    """The job; one that is gone is asked for no more."""
    try:
        return services().jobs.get(job_id)
    except NotFound:
        set_props(Job.TICK, {"disabled": True})
        set_props(Job.SECTION, {"style": _HIDDEN})
        raise


def _again(job: JobView) -> str:
    """What a retry is, in a word: it goes on where something is kept."""
    return "Resume" if job.is_resumable else "Retry"


@callbacks.on(
    Output(Job.LOG, "children"),
    Output(Job.LOG_SECTION, "style"),
    Output(Job.LINE, "data"),
    Input(Job.TICK, "n_intervals"),
    Input(Job.SEEN, "data"),
    State(Job.ID, "data"),
    State(Job.LINE, "data"),
    errors_in=Job.ERROR,
)
def show_log(_ticks: Any, _seen: Any, job_id: Any, last: Any) -> tuple[Any, Any, Any]:
    """The last lines of the log, when there is a new one."""
    name = JobName.parse({"id": job_id}).id
    lines = services().jobs.log(name) if name is not None else ()
    newest = f"{name}:{lines[-1].line}" if lines else None
    if newest is None or newest == last:
        raise PreventUpdate
    return log_lines(lines), {}, newest


@callbacks.on(
    Output(Job.CHANGED, "data"),
    Input(Job.CANCEL, "n_clicks"),
    State(Job.ID, "data"),
    errors_in=Job.ERROR,
)
def cancel(clicks: Any, job_id: Any) -> str:
    """Stop the job; what it did is kept."""
    services().jobs.cancel(_pressed(clicks, job_id))
    return f"cancel {clicks}"


@callbacks.on(
    Output(Job.CHANGED, "data", allow_duplicate=True),
    Input(Job.RETRY, "n_clicks"),
    State(Job.ID, "data"),
    running=[(Output(Job.RETRY, "loading"), True, False)],
    errors_in=Job.ERROR,
)
def retry(clicks: Any, job_id: Any) -> str:
    """Queue the job again: it goes on from what is kept."""
    services().jobs.retry(_pressed(clicks, job_id))
    return f"retry {clicks}"


def _pressed(clicks: Any, job_id: Any) -> str:
    name = JobName.parse({"id": job_id}).id
    if not clicks or name is None:
        raise PreventUpdate
    return name


callbacks.clientside(
    clientside_jobs.MIRROR_JOB,
    Output(Job.SINK, "data"),
    Input(Job.ID, "data"),
    State(Job.PARAMETER, "data"),
    State(Job.SECTION, "id"),
)
