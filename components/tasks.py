"""Something that takes a while, as the user follows it: phase, amount, rate, time left."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import html

from components.amounts import pace_text, seconds_text, units_text
from components.feedback import error_alert
from components.icons import icon
from services.types import TaskStatus, TaskView

# what a status is called, its icon, its tone (a class of base.css)
_STATUS = {
    TaskStatus.QUEUED: ("Waiting", "clock", "quiet"),
    TaskStatus.RUNNING: ("Running", "play", "active"),
    TaskStatus.SUCCEEDED: ("Done", "check", "good"),
    TaskStatus.FAILED: ("Failed", "cross", "bad"),
    TaskStatus.CANCELLED: ("Cancelled", "stop", "quiet"),
}


def task_badge(status: TaskStatus) -> html.Span:
    """The status by word and icon; colour only repeats it."""
    word, picture, tone = _STATUS[status]
    return html.Span([icon(picture, 14), word], className=f"as-status as-{tone}")


def task_progress(task: TaskView) -> html.Div:
    """Where the task stands; once it is final, what went wrong as well."""
    line = [
        task_badge(task.status),
        html.Span(_phase(task), className="as-phase", role="status"),
        html.Span(amount_text(task), className="as-num"),
        html.Span(rate_text(task), className="as-num as-muted"),
        html.Span(left_text(task), className="as-num as-muted"),
    ]
    return html.Div(
        [
            dmc.Text(task.title, fw=600, className="as-break"),
            html.Div(line, className="as-progress-line"),
            None if task.status.is_final else _bar(task),
            _problems(task),
            _error(task),
        ],
        className="as-progress",
    )


def amount_text(task: TaskView) -> str:
    """How much is done of how much; nothing where the task does not count."""
    if task.status.is_final or (not task.done and task.total is None):
        return ""
    done, total = units_text(task.done, task.unit), units_text(task.total, task.unit)
    return done if task.total is None else f"{done} of {total}"


def rate_text(task: TaskView) -> str:
    """How fast it goes; nothing where that is unknown."""
    if task.status.is_final or not task.per_s:
        return ""
    return pace_text(task.per_s, task.unit)


def left_text(task: TaskView) -> str:
    """How long the phase still takes at this rate; nothing where that is unknown."""
    if task.status.is_final or not task.per_s or task.total is None or task.done >= task.total:
        return ""
    return f"{seconds_text((task.total - task.done) / task.per_s)} left"


def _phase(task: TaskView) -> str:
    return "" if task.status.is_final else task.phase.capitalize()


def _bar(task: TaskView) -> dmc.Progress:
    known = bool(task.total)
    share = 100 * min(1.0, task.done / task.total) if task.total else 100
    return dmc.Progress(
        value=share, size="sm", animated=not known, striped=not known, transitionDuration=200,
        **{"aria-label": f"{task.title}: {task.phase}"},
    )  # fmt: skip


def _problems(task: TaskView) -> Any:
    told, only = task.error_message, len(task.problems) == 1
    if not task.problems or (told and only and task.problems[0].endswith(told)):
        return None
    items = [html.Li(problem, className="as-break") for problem in task.problems]
    return dmc.Alert(
        html.Ul(items, className="as-plain-list"), title="Not everything worked", color="orange",
        variant="light", icon=icon("warning", 18), className="as-warning",
    )  # fmt: skip


def _error(task: TaskView) -> Any:
    if task.error_message is None:
        return None
    return error_alert(task.error_code or "INTERNAL", task.error_message)
