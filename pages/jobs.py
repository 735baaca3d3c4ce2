"""All jobs: what waits, what runs, what there was; or the one that the address names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Input, Output, State, dcc, html, no_update

from components.amounts import UNKNOWN, seconds_text
from components.feedback import empty_state, loading
from components.jobs import (
    KINDS,
    STATUS_NAMES,
    job_badge,
    job_href,
    job_line,
    kind_name,
    seconds_between,
)
from components.runs import time_element
from components.shell import page, section
from components.tables import Column, table
from pages import clientside, job
from pages import clientside_jobs as browser
from pages.callbacks import CallbackSet
from pages.context import services
from pages.job_ids import JobFilters, JobName, Jobs, jobs_field
from services.types import JobStatus, JobView

callbacks = CallbackSet()

PATH = "/jobs"
_TICK_MS, _IDLE_MS = 1000, 10_000  # while something is under way, and to notice what begins
_PAGE = 50  # jobs shown at first, and more at each press of the button
_MOST_PAGES = 40
_HIDDEN = {"display": "none"}
_NONE = "/"  # ends those under way in a stamp
_COLUMNS = (
    Column("Job"),
    Column("Status"),
    Column("Progress"),
    Column("Created"),
    Column("Took", number=True),
)


def layout(**query: Any) -> html.Div:
    """The page of all jobs, or of the one that the query string names."""
    if JobName.parse(query).id is not None:
        return job.layout(**query)
    filters = JobFilters.parse(query)
    body = [
        dcc.Store(id=Jobs.VIEW, data=filters.as_data()),
        dcc.Store(id=Jobs.SINK),
        dcc.Store(id=Jobs.STAMP),
        dcc.Store(id=Jobs.SEEN),
        dcc.Interval(id=Jobs.TICK, interval=_TICK_MS),
        section("Filter", _filters(filters)),
        html.Div(id=Jobs.ERROR),
        html.Div(id=Jobs.ACTIVE),
        html.Div(loading(), id=Jobs.ITEMS),
        html.Div(
            dmc.Button("Show more", id=Jobs.MORE, variant="default", style=_HIDDEN),
            className="as-end",
        ),
    ]
    intro = "Work that outlives the server: it goes on after a restart, and can be stopped."
    return page("Jobs", body, intro=intro)


def _filters(filters: JobFilters) -> Any:
    statuses = [{"value": s.value, "label": name} for s, name in STATUS_NAMES.items()]
    named = [filters.kind] if filters.kind else []  # a link may name one that is gone
    known = dict.fromkeys([*services().jobs.kinds, *KINDS, *named])
    kinds = [{"value": kind, "label": kind_name(kind)} for kind in known]
    return dmc.Group(
        [
            _choice("status", "Status", statuses, filters.status),
            _choice("kind", "Kind", kinds, filters.kind),
        ],
        align="end",
    )


def _choice(name: str, label: str, data: list[dict[str, str]], chosen: str | None) -> dmc.Select:
    return dmc.Select(
        id=jobs_field(name), label=label, data=data, value=chosen and str(chosen), clearable=True,
        placeholder="any", clearButtonProps={"aria-label": f"Any {label}"}, w=220,
    )  # fmt: skip


@callbacks.on(
    Output(Jobs.ACTIVE, "children"),
    Output(Jobs.STAMP, "data"),
    Output(Jobs.TICK, "interval"),
    Input(Jobs.VIEW, "data"),
    Input(Jobs.SEEN, "data"),
    State(Jobs.STAMP, "data"),
    prevent_initial_call=False,
    errors_in=Jobs.ERROR,
)
def show_active(filter_data: Any, _seen: Any, before: Any) -> tuple[Any, Any, int]:
    """What runs, then what waits, each time the page asks; rarely where there is nothing."""
    filters = JobFilters.parse(filter_data)
    found = _active(filters)
    newest = services().jobs.list(filters.query(limit=1)).items
    stamp = " ".join([*(one.job_id for one in found), _NONE, *(one.job_id for one in newest)])
    changed = no_update if stamp == before else stamp  # the ended ones need not be drawn again
    if not found:
        return None, changed, _IDLE_MS
    running = sum(one.status is JobStatus.RUNNING for one in found)
    title = f"{running:,} running, {len(found) - running:,} waiting"
    return section(title, _table("Jobs under way", found)), changed, _TICK_MS


def _active(filters: JobFilters) -> list[JobView]:
    if filters.status is not None and filters.status.is_final:
        return []
    wanted = [filters.status] if filters.status else [JobStatus.RUNNING, JobStatus.QUEUED]
    pages = [services().jobs.list(filters.query(status=status, limit=200)) for status in wanted]
    return [one for found in pages for one in found.items]


@callbacks.on(
    Output(Jobs.ITEMS, "children"),
    Output(Jobs.MORE, "style"),
    Input(Jobs.VIEW, "data"),
    Input(Jobs.STAMP, "data"),
    Input(Jobs.MORE, "n_clicks"),
    errors_in=Jobs.ERROR,
)
def show_ended(filter_data: Any, stamp: Any, clicks: Any) -> tuple[Any, Any]:
    """The jobs that have ended, newest first; again whenever one more has."""
    filters = JobFilters.parse(filter_data)
    is_one_active = isinstance(stamp, str) and not stamp.startswith(_NONE)
    if filters.status is not None and not filters.status.is_final:
        return (None if is_one_active else _nothing(filters)), _HIDDEN
    pages = 1 + (clicks if isinstance(clicks, int) and 0 < clicks < _MOST_PAGES else 0)
    found, is_more = _ended(filters, pages * _PAGE)
    if not found:
        return (None if is_one_active else _nothing(filters)), _HIDDEN
    return section("Ended", _table("Jobs that have ended", found)), {} if is_more else _HIDDEN


def _ended(filters: JobFilters, most: int) -> tuple[list[JobView], bool]:
    """At most so many, and whether there are more."""
    found: list[JobView] = []
    for one in _all(filters):
        if one.status.is_final:
            if len(found) == most:
                return found, True
            found.append(one)
    return found, False


def _all(filters: JobFilters) -> Iterator[JobView]:
    cursor = None
    while True:
        one = services().jobs.list(filters.query(cursor=cursor, limit=_PAGE))
        yield from one.items
        cursor = one.next_cursor
        if cursor is None:
            return


def _nothing(filters: JobFilters) -> Any:
    if filters.as_data():
        empty = empty_state("No job passes these filters", "Clear one of them.", icon_name="search")
    else:
        empty = empty_state(
            "No jobs yet", "Extractions and new corpora appear here, and can be followed.",
            icon_name="jobs",
        )  # fmt: skip
    return dmc.Paper(empty)


def _table(label: str, jobs: Sequence[JobView]) -> html.Div:
    return table(label, _COLUMNS, [_row(one) for one in jobs], fold=True)


def _row(one: JobView) -> list[Any]:
    took = seconds_between(one)
    kind = html.Span(kind_name(one.kind), className="as-muted as-small as-block")
    return [
        html.Span([dcc.Link(one.title, href=job_href(one.job_id), className="as-break"), kind]),
        job_badge(one),
        job_line(one),
        time_element(one.created_at),
        UNKNOWN if took is None else seconds_text(took),
    ]


callbacks.clientside(
    browser.IN_VIEW,
    Output(Jobs.SEEN, "data"),
    Input(Jobs.TICK, "n_intervals"),
)
callbacks.clientside(
    clientside.FILTERS,
    Output(Jobs.VIEW, "data"),
    Input(jobs_field(), "value"),
    State(Jobs.VIEW, "data"),
)
callbacks.clientside(
    clientside.mirror_fields(PATH, JobFilters.model_fields),
    Output(Jobs.SINK, "data"),
    Input(Jobs.VIEW, "data"),
)
