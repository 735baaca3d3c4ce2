"""With a token set, nothing is answered without it, whatever the address and the method."""

from __future__ import annotations

import base64
import logging

import pytest
from flask import Flask

from services.web.state import state_of
from tests.security.conftest import TOKEN, addresses, is_error

_UNROUTED = ("/", "/runs", "/nowhere", "/_dash-nowhere", "/api", "/api/v1/nowhere", "//", "/%2e/")
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_every_route_refuses_the_unknown_caller(guarded: Flask) -> None:
    routed = addresses(guarded)
    assert any(path.startswith("/_dash-update-component") for _, path in routed)
    assert any(path.endswith("/health") for _, path in routed)
    assert any(path.startswith("/assets/") for _, path in routed)
    assert {("POST", "/api/v1/saes"), ("DELETE", "/api/v1/models/1")} <= set(routed)
    assert {("POST", "/api/v1/saes/look"), ("POST", "/api/v1/tasks/1/cancel")} <= set(routed)
    everything = routed + [(method, path) for method in _METHODS for path in _UNROUTED]
    for method, path in everything:
        with guarded.test_client() as client:
            answer = client.open(path, method=method)
        assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
        assert answer.headers["WWW-Authenticate"], f"{method} {path}"
        if method != "HEAD":
            assert is_error(answer), f"{method} {path}"
            assert answer.json["error_code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Token {TOKEN}",
        TOKEN,
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        _basic("", ""),
        _basic(TOKEN, ""),
        _basic("admin", "wrong"),
        "Digest username=x",
        "Bearer é",
        "Bearer " + "a" * 100_000,
    ],
)
def test_a_wrong_or_malformed_credential_is_refused(guarded: Flask, header: str) -> None:
    for path in ("/", "/api/v1/models", "/_dash-layout"):
        answer = guarded.test_client().get(path, headers={"Authorization": header})
        assert answer.status_code == 401


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", _basic("me", TOKEN), _basic("", TOKEN)])
def test_the_token_opens_pages_and_rest(guarded: Flask, header: str) -> None:
    client = guarded.test_client()
    for path in ("/", "/_dash-layout", "/_dash-dependencies", "/api/v1/models"):
        assert client.get(path, headers={"Authorization": header}).status_code == 200, path


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/_dash-update-component", {}, {"inputs": [{"id": "x", "property": "pathname",
                                                     "value": "/login"}]}),
        ("/api/v1/models", {"X-Original-URL": "/assets/base.css"}, None),
        ("/api/v1/models", {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-User": "admin"}, None),
        ("/api/v1/models", {"X-HTTP-Method-Override": "OPTIONS"}, None),
        ("//api/v1/models", {}, None),
        ("/assets/../api/v1/models", {}, None),
        ("/assets/%2e%2e/api/v1/models", {}, None),
        ("/api/v1/models?token=" + TOKEN.replace(" ", "+"), {}, None),
        ("/api/v1/models", {"Cookie": f"token={TOKEN}"}, None),
    ],
)  # fmt: skip
def test_nothing_that_the_caller_says_elsewhere_replaces_the_token(
    guarded: Flask, path: str, headers: dict, body: dict | None
) -> None:
    method = "POST" if body is not None else "GET"
    environ = {"PATH_INFO": path.partition("?")[0]}  # as it is, with its slashes
    answer = guarded.test_client().open(
        path.lstrip("/"), method=method, headers=headers, json=body, environ_overrides=environ
    )
    assert answer.status_code == 401


def test_browsers_are_asked_for_a_password_and_programs_for_a_bearer(guarded: Flask) -> None:
    client = guarded.test_client()
    assert client.get("/").headers["WWW-Authenticate"].startswith("Basic ")
    assert client.get("/api/v1/models").headers["WWW-Authenticate"].startswith("Bearer ")


def test_an_unknown_caller_costs_nothing(guarded: Flask) -> None:
    """The body is not even read."""
    answer = guarded.test_client().post(
        "/api/v1/playground/activations/run",
        data=b"[" * 1_000_000,
        content_type="application/json",
    )
    assert answer.status_code == 401


def test_the_token_is_never_told(guarded: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = guarded.test_client()
    said = []
    for path in ("/", "/_dash-layout", "/api/v1/playground/activations/health", "/api/v1/nowhere"):
        for header in (f"Bearer {TOKEN}", "Bearer wrong"):
            answer = client.get(path, headers={"Authorization": header})
            said += [answer.get_data(as_text=True), str(answer.headers)]
    assert TOKEN not in "".join(said) + caplog.text
    assert TOKEN not in repr(state_of(guarded).container.settings)


def test_the_openapi_document_says_that_a_token_is_needed(guarded: Flask, server: Flask) -> None:
    document = guarded.test_client().get(
        "/api/v1/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert document.json["security"] == [{"token": []}]
    assert "security" not in server.test_client().get("/api/v1/openapi.json").json
