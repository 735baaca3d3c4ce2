"""The ids that the callbacks of the jobs' pages name, and what their URLs carry."""

from __future__ import annotations

from typing import Any

from dash import ALL

from pages.url_state import UrlState
from services.jobs.requests import JobId, JobKind, JobQuery
from services.types import JobStatus


class Jobs:
    """The list of jobs."""

    VIEW = "jobs-view"
    SINK = "jobs-sink"
    ERROR = "jobs-error"
    ACTIVE = "jobs-active"  # those that wait or run
    STAMP = "jobs-stamp"  # which these are, and which is the newest of all
    TICK = "jobs-tick"
    SEEN = "jobs-seen"  # the last tick while the page was in view
    ITEMS = "jobs-items"
    MORE = "jobs-more"


class Job:
    """One job, followed on whichever page it belongs to."""

    ID = "job-id"
    PARAMETER = "job-parameter"  # that carries the id in the address
    SINK = "job-sink"
    ERROR = "job-error"
    TICK = "job-tick"
    SEEN = "job-seen"  # {id, status, attempt}: changes when the job does more than go on
    LINE = "job-line"  # the last line of the log that is shown
    CHANGED = "job-changed"  # counts what was done to it
    SECTION = "job-section"
    BOX = "job-box"
    CANCEL = "job-cancel"
    RETRY = "job-retry"
    LOG = "job-log"
    LOG_SECTION = "job-log-section"
    CONTENT = "job-content"  # what does not change while it runs


def jobs_field(name: Any = ALL) -> dict[str, Any]:
    """The control whose value filters the list of jobs by `name`."""
    return {"type": "jobs-filter", "name": name}


class JobFilters(UrlState):
    """What a job must be to be listed; a filter that makes no sense is dropped, not an error."""

    status: JobStatus | None = None
    kind: JobKind | None = None
    parent: JobId | None = None

    def query(self, **more: Any) -> JobQuery:
        """The page of jobs behind `cursor`, if given; of the filter's status unless it is given.

        Raises:
            InvalidArgument: the cursor is not one of ours.
        """
        own = {"status": self.status, "kind": self.kind, "parent_id": self.parent}
        return JobQuery.parse(own | more)


class JobName(UrlState):
    """The job that the address names: on its own page, or on one that started it."""

    id: JobId | None = None
    job: JobId | None = None
