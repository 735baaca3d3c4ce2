"""REST: what takes a while, followed and cancelled."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, url_for
from flask_openapi3 import APIBlueprint, Tag

from services.registry.documents import task_document
from services.types import TaskView
from services.web import registry_schemas as schemas
from services.web.answers import ERRORS, no_body
from services.web.errors import json_response
from services.web.parameters import NoParameters, TaskPath
from services.web.state import state

api = APIBlueprint(
    "tasks",
    __name__,
    url_prefix="/api/v1/tasks",
    abp_tags=[Tag(name="tasks", description="adding, measuring and loading, while it goes on")],
    abp_responses=ERRORS,
)


def accepted(task: TaskView) -> Response:
    """The answer to what a task does: it, with its address."""
    response = json_response(task_document(task), HTTPStatus.ACCEPTED)
    response.headers["Location"] = url_for("tasks.show", task_id=task.task_id)
    return response


@api.get("", responses={200: schemas.TasksBody})
def tasks(query: NoParameters) -> Response:
    """The tasks of the last day, newest first."""
    found = state().container.registry.tasks()
    return json_response({"items": [task_document(task) for task in found]})


@api.get("/<task_id>", responses={200: schemas.TaskBody})
def show(path: TaskPath, query: NoParameters) -> Response:
    """A task as it stands."""
    return json_response(task_document(state().container.registry.task(path.task_id)))


@api.post("/<task_id>/cancel", responses={200: schemas.TaskBody})
def cancel(path: TaskPath, query: NoParameters) -> Response:
    """Stop a task; what it has registered stays. A finished task stays as it is."""
    no_body()
    return json_response(task_document(state().container.registry.cancel(path.task_id)))
