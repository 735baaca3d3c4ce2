"""REST: health, the OpenAPI document, and the answer to addresses that do not exist."""

from __future__ import annotations

from typing import NoReturn

from flask import Response, current_app, request
from flask_openapi3 import APIBlueprint, OpenAPI, Tag
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from services.errors import NotFound
from services.health import check_document
from services.types import Health
from services.web import schemas
from services.web.answers import ERRORS
from services.web.errors import json_response
from services.web.parameters import NoParameters
from services.web.state import state

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

api = APIBlueprint(
    "system",
    __name__,
    url_prefix="/api/v1",
    abp_tags=[Tag(name="system", description="what this server has and how it is")],
    abp_responses=ERRORS,
)


@api.get("/playground/activations/health", responses={200: schemas.HealthBody})
def health(query: NoParameters) -> Response:
    """Whether database, model and SAEs can be used; `degraded` is answered with 200 too."""
    return json_response(health_document(state().container.health()))


@api.get("/openapi.json", doc_ui=False)
def openapi(query: NoParameters) -> Response:
    """This API as an OpenAPI document."""
    server = current_app._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(server, OpenAPI)
    return json_response(server.api_doc)


def refuse_unknown(rest: str) -> NoReturn:
    """No such address, or not with this method.

    Raises:
        NotFound: nothing answers here.
        MethodNotAllowed: something does, to other methods.
    """
    allowed = [method for method in _METHODS if _answers(method)]
    if allowed:
        raise MethodNotAllowed(valid_methods=allowed)
    raise NotFound(f"there is no {request.path[:200]}; /api/v1/openapi.json lists what there is")


def health_document(health: Health) -> dict[str, object]:
    """Health in the contract's words."""
    saes = [check for check in health.checks if check.name.startswith("sae")]
    failing = [check for check in health.checks if not check.ok]
    return {
        "status": health.status,
        "index_db_reachable": _is_ok(health, "database"),
        "hf_inference_reachable": _is_ok(health, "model"),
        "sae_reachable": bool(saes) and all(check.ok for check in saes),
        "checks": [check_document(check) for check in health.checks],
        "versions": dict(health.versions),
        "last_error": failing[0].message if failing else None,
    }


def _is_ok(health: Health, name: str) -> bool:
    return any(check.ok for check in health.checks if check.name == name)


def _answers(method: str) -> bool:
    adapter = current_app.create_url_adapter(request)
    assert adapter is not None
    try:
        endpoint, _ = adapter.match(method=method)
    except HTTPException:
        return False
    return current_app.view_functions[endpoint] is not refuse_unknown
