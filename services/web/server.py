"""The Flask server under Dash: REST, guards, headers and errors installed on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, NoReturn

from flask import Flask, Response, request
from flask_openapi3 import Info, OpenAPI
from pydantic import ValidationError

from services.errors import NotFound
from services.settings import Settings
from services.validation import invalid
from services.web import (
    api_comparison,
    api_corpora,
    api_decoder,
    api_evidence,
    api_extractions,
    api_feature_table,
    api_feature_views,
    api_features,
    api_jobs,
    api_labels,
    api_maps,
    api_models,
    api_probes,
    api_runs,
    api_sae_extractions,
    api_saes,
    api_stores,
    api_system,
    api_tasks,
    errors,
    guards,
    headers,
)
from services.web.parameters import RunPath
from services.web.schemas import ErrorBody
from services.web.state import WebState, attach

if TYPE_CHECKING:
    from services.container import Container


def make_server(settings: Settings) -> Flask:
    """An empty server for `Dash(server=…)`; `install` makes it ours."""
    server = OpenAPI(
        "services.web",
        info=Info(title="Actiscope", version=_version(), description=_DESCRIPTION),
        security_schemes={"token": {"type": "http", "scheme": "bearer"}},
        validation_error_status=400,
        validation_error_model=ErrorBody,
        validation_error_callback=_refuse_invalid,
        doc_ui=False,  # its pages are third-party bundles; the document itself is served
        openapi_extensions={"security": [{"token": []}]} if settings.auth_token else None,
        static_folder=None,
    )
    server.json = guards.StrictJSON(server)
    server.config["MAX_CONTENT_LENGTH"] = guards.body_limit(settings)
    server.config["PROPAGATE_EXCEPTIONS"] = False
    return server


def install(server: Flask, container: Container, csp_hashes: Callable[[], list[str]]) -> None:
    """Put REST, guards, headers and error answers on a server made by `make_server`.

    `csp_hashes` gives the hashes of the inline scripts of Dash's page.
    """
    assert isinstance(server, OpenAPI)
    attach(server, WebState(container, csp_hashes))
    errors.register(server)
    guards.register(server)
    headers.register(server)
    if container.settings.preload:
        _preload_once_shown(server, container)
    for module in _APIS:
        server.register_api(module.api)
    server.add_url_rule(
        "/api/<path:rest>",
        view_func=api_system.refuse_unknown,
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
    )


_APIS = (
    api_runs,
    api_features,
    api_feature_table,
    api_feature_views,
    api_models,
    api_saes,
    api_decoder,
    api_evidence,
    api_tasks,
    api_jobs,
    api_labels,
    api_corpora,
    api_extractions,
    api_sae_extractions,
    api_stores,
    api_probes,
    api_comparison,
    api_maps,
    api_system,
)

_DESCRIPTION = (
    "Which SAE features fire while a language model reads and writes. Every error has one shape: "
    "status, error_code, message, details."
)


_PAGE_CONTENT = "/_dash-update-component"


def _preload_once_shown(server: Flask, container: Container) -> None:
    """Load the default model when the first page stands: before, it would only be in the way."""
    once = threading.Lock()  # taken by the first, never given back

    @server.after_request
    def preload(response: Response) -> Response:
        is_content = request.method == "POST" and request.path.endswith(_PAGE_CONTENT)
        if is_content and response.status_code == 200 and once.acquire(blocking=False):
            container.preload()
        return response


def _refuse_invalid(error: ValidationError) -> NoReturn:
    if error.title == RunPath.__name__:
        raise NotFound("there is no such run")
    raise invalid(error)


def _version() -> str:
    try:
        return version("actiscope")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
