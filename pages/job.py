"""One job: its progress and log as it works, what it was asked and what it made."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, dcc, html
from dash.exceptions import PreventUpdate

from components.feedback import code_block, empty_state
from components.job_details import as_json, job_facts
from components.jobs import kind_name
from components.shell import page, section
from pages.callbacks import CallbackSet
from pages.context import services
from pages.job_ids import Job, JobName
from pages.job_panel import job_panel
from services.types import JobView

callbacks = CallbackSet()


PATH = "/job"  # its page also stands at /jobs with an id, which is where links lead


def layout(**query: Any) -> html.Div:
    """The page of the job that the query string names."""
    name = JobName.parse(query).id
    back = dcc.Link("All jobs", href="/jobs")
    nothing = empty_state("No job named", "Choose one from the list.", back, icon_name="jobs")
    body = [
        *job_panel(name, parameter="id", with_log=True),
        dmc.Stack(None if name else nothing, id=Job.CONTENT),
    ]
    return page("Job", body, actions=[back])


@callbacks.on(
    Output(Job.CONTENT, "children"),
    Input(Job.SEEN, "data"),
    errors_in=Job.ERROR,
)
def show(seen: Any) -> list[Any]:
    """What does not change with every batch."""
    name = JobName.parse(seen).id
    if name is None:
        raise PreventUpdate
    return _content(services().jobs.get(name))


def _content(job: JobView) -> list[Any]:
    what = dmc.Text(job.title, fw=600, className="as-break", mb="md")
    result = None if job.result is None else _values("result", "Result", job.result)
    parts = [
        section(kind_name(job.kind), [what, job_facts(job)]),
        result,
        _values("parameters", "Parameters", job.params),
    ]
    return [part for part in parts if part is not None]


def _values(name: str, title: str, values: Any) -> Any:
    return section(title, code_block(as_json(values), id=f"job-{name}", label=title))
