"""REST: durable jobs, started, followed, cancelled and retried."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, url_for
from flask_openapi3 import APIBlueprint, Tag

from services.jobs.mapping import job_document, line_document
from services.jobs.requests import JobQuery, StartJob
from services.web import job_schemas as schemas
from services.web.answers import ERRORS, no_body
from services.web.errors import json_response
from services.web.parameters import JobPath, NoParameters
from services.web.state import state

api = APIBlueprint(
    "jobs",
    __name__,
    url_prefix="/api/v1/jobs",
    abp_tags=[Tag(name="jobs", description="work that outlives the server's process")],
    abp_responses=ERRORS,
)


@api.get("", responses={200: schemas.JobsBody})
def jobs(query: JobQuery) -> Response:
    """Jobs, newest first, a page at a time."""
    page = state().container.jobs.list(query)
    items = [job_document(job) for job in page.items]
    return json_response({"items": items, "next_cursor": page.next_cursor})


@api.post("", responses={202: schemas.JobBody})
def start(query: NoParameters, body: StartJob) -> Response:
    """Accept a job; answers at once, and the job is not lost from then on.

    The same `request_key` with the same body gives the job that exists.
    """
    job = state().container.jobs.start(body)
    response = json_response(job_document(job), HTTPStatus.ACCEPTED)
    response.headers["Location"] = url_for("jobs.show", job_id=job.job_id)
    return response


@api.get("/<job_id>", responses={200: schemas.JobWithLogBody})
def show(path: JobPath, query: NoParameters) -> Response:
    """A job as it stands, with the last lines of its log."""
    service = state().container.jobs
    document = job_document(service.get(path.job_id))
    lines = [line_document(line) for line in service.log(path.job_id)]
    return json_response(document | {"log": lines})


@api.post("/<job_id>/cancel", responses={200: schemas.JobBody})
def cancel(path: JobPath, query: NoParameters) -> Response:
    """Stop a job within a batch; what it did is kept. A final job stays as it is."""
    no_body()
    return json_response(job_document(state().container.jobs.cancel(path.job_id)))


@api.post("/<job_id>/retry", responses={200: schemas.JobBody})
def retry(path: JobPath, query: NoParameters) -> Response:
    """Queue a failed or cancelled job again: it goes on from what is kept."""
    no_body()
    return json_response(job_document(state().container.jobs.retry(path.job_id)))
