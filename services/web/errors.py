"""Errors of every kind as HTTP: one JSON shape, a fitting status, never a traceback."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from services.errors import (
    ActiscopeError,
    Busy,
    NotFound,
    Unauthenticated,
    Unavailable,
    as_product_error,
)
from services.web import strict_json

log = logging.getLogger(__name__)

API_PREFIX = "/api/"
_RETRY_UNAVAILABLE_S = 10

_CODES = {400: "INVALID_ARGUMENT", 413: "TOO_LARGE"}
# What Dash raises for bundles that do not exist; named, because only pages may import Dash.
_DASH_NOT_FOUND = frozenset({"DependencyException", "InvalidResourceError"})


def json_response(document: Any, status: int = 200) -> Response:
    """`document` as strict JSON; a lone surrogate in it becomes a question mark."""
    body = strict_json.dumps(document).encode("utf-8", "replace")
    return Response(body, status, mimetype="application/json")


def register(server: Flask) -> None:
    """Answer every error of `server` in the one shape."""
    server.register_error_handler(ActiscopeError, respond)
    server.register_error_handler(HTTPException, _respond_http)
    server.register_error_handler(Exception, _respond_unexpected)


def respond(error: ActiscopeError) -> Response:
    """The product's own error as a response."""
    response = json_response(error.as_json(), error.http_status)
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(error.retry_after_s)
    elif isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(_RETRY_UNAVAILABLE_S)
    elif isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = _challenge()
    return response


def is_api() -> bool:
    """Whether the request is for REST, as the router understood it."""
    return request.url_rule is not None and request.url_rule.rule.startswith(API_PREFIX)


def _respond_http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None or status < 400:  # a redirect, or a complete answer
        return error.get_response()  # type: ignore[return-value]
    document = {
        "status": "error",
        "error_code": _CODES.get(status, error.name.upper().replace(" ", "_").replace("'", "")),
        "message": error.description or error.name,
        "details": {},
    }
    response = json_response(document, status)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _respond_unexpected(error: Exception) -> Response:
    if type(error).__name__ in _DASH_NOT_FOUND and type(error).__module__.startswith("dash"):
        return respond(NotFound("there is no such file"))
    log.error("could not answer %s %s", request.method, request.path)
    return respond(as_product_error(error))


def _challenge() -> str:
    return 'Bearer realm="actiscope"' if is_api() else 'Basic realm="actiscope", charset="UTF-8"'
