"""What browsers are told and held to: hosts, origins, headers, policies, bodies."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re

import pytest
from dash import Dash
from flask import Flask

from services.settings import Settings
from services.web.guards import check_host
from tests import corpus
from tests.security.conftest import addresses, is_error

RUN = "/api/v1/playground/activations/run"
CALLBACK = "/_dash-update-component"


@pytest.mark.parametrize("host", corpus.HOSTS_ACCEPTED)
def test_the_server_answers_to_its_own_names(server: Flask, host: str) -> None:
    assert server.test_client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", [host for host in corpus.HOSTS_REFUSED if host.strip()])
def test_a_foreign_name_is_refused_everywhere(server: Flask, host: str) -> None:
    for method, path in (("GET", "/"), ("GET", "/api/v1/models"), ("POST", CALLBACK)):
        answer = server.test_client().open(path, method=method, headers={"Host": host})
        assert answer.status_code == 403, path
        assert is_error(answer)


def test_a_forwarded_name_is_not_believed(server: Flask) -> None:
    headers = {
        "Host": "evil.example",
        "X-Forwarded-Host": "localhost",
        "Forwarded": "host=localhost",
    }
    assert server.test_client().get("/", headers=headers).status_code == 403


def test_further_names_are_answered_when_configured() -> None:
    check_host("Lab.Example:80", Settings(_env_file=None, allowed_hosts="lab.example, other"))


_SITES = (None, "same-origin", "none", "same-site", "cross-site", "SAME-ORIGIN", "")
_ORIGINS = (
    None,
    "http://localhost",
    "http://localhost:8051",
    "https://localhost",
    "http://127.0.0.1",
    "http://localhost.evil.example",
    "http://evil.example",
    "null",
    "",
)


@pytest.mark.parametrize(("site", "origin"), itertools.product(_SITES, _ORIGINS))
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_only_own_pages_and_tools_may_change_anything(
    server: Flask, method: str, site: str | None, origin: str | None
) -> None:
    headers = {"Sec-Fetch-Site": site, "Origin": origin}
    sent = {name: value for name, value in headers.items() if value is not None}
    path = {"POST": RUN}.get(method, "/api/v1/playground/activations/some-run")
    answer = server.test_client().open(path, method=method, headers=sent, json={})
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        allowed = origin in (None, "http://localhost")
    assert (answer.status_code != 403) == allowed
    assert is_error(answer)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_foreign_page_may_not_call_callbacks(server: Flask, site: str) -> None:
    answer = server.test_client().post(CALLBACK, json={}, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403


def test_no_origin_is_ever_let_in_by_cors(server: Flask) -> None:
    for method in ("GET", "OPTIONS", "POST"):
        answer = server.test_client().open(
            RUN,
            method=method,
            headers={
                "Origin": "http://evil.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type",
            },
        )
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_every_answer_carries_the_security_headers(server: Flask) -> None:
    for method, path in [*addresses(server), ("GET", "/nowhere"), ("BREW", "/")]:
        with server.test_client() as client, client.open(path, method=method) as answer:
            headers = answer.headers
        where = f"{method} {path}"
        assert headers["X-Content-Type-Options"] == "nosniff", where
        assert headers["Referrer-Policy"] == "no-referrer", where
        assert headers["X-Frame-Options"] == "DENY", where
        policy = dict(p.split(" ", 1) for p in headers["Content-Security-Policy"].split("; "))
        assert policy["frame-ancestors"] == "'none'", where
        assert policy["object-src"] == "'none'", where
        assert policy["base-uri"] == "'none'", where
        assert "unsafe" not in policy["script-src"], where
        assert "http" not in headers["Content-Security-Policy"], where


@pytest.mark.parametrize("path", ["/", "/runs", "/health", "/nowhere/at/all"])
def test_every_inline_script_of_a_page_is_named_by_its_hash(app: Dash, path: str) -> None:
    answer = app.server.test_client().get(path)
    page = answer.get_data(as_text=True)
    policy = answer.headers["Content-Security-Policy"]
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    inline = [text for attributes, text in scripts if text and "application/json" not in attributes]
    assert inline
    for text in inline:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy, text[:80]


def test_a_page_loads_nothing_from_elsewhere(server: Flask) -> None:
    page = server.test_client().get("/").get_data(as_text=True)
    for address in re.findall(r"""(?:src|href)=["']([^"']+)""", page):
        assert address.startswith(("/", "data:")) and not address.startswith("//"), address


def test_files_with_a_fingerprint_are_kept_and_answers_are_not(server: Flask) -> None:
    client = server.test_client()
    page = client.get("/").get_data(as_text=True)
    assets = [a for a in re.findall(r'(?:src|href)="([^"]+)"', page) if "/assets/" in a]
    assert assets and all("?m=" in address for address in assets)
    for address in assets:
        with client.get(address) as answer:
            assert answer.status_code == 200
            assert "max-age=31536000" in answer.headers["Cache-Control"], address
            assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/api/v1/models").headers["Cache-Control"] == "no-store"
    assert "max-age" not in client.get("/").headers["Cache-Control"]
    assert client.get("/assets/none.js?m=1").headers["Cache-Control"] == "no-store"


def test_debugging_is_off(app: Dash) -> None:
    assert app.server.debug is False
    client = app.server.test_client()
    config = json.loads(
        re.search(r'id="_dash-config"[^>]*>(.*?)</script>', client.get("/").get_data(as_text=True))[
            1
        ]
    )
    assert not config.get("ui") and "hot_reload" not in config
    for path in ("/console", "/openapi", "/openapi/swagger", "/_mcp", "/mcp"):
        answer = client.get(path)
        assert "Werkzeug" not in answer.get_data(as_text=True)
        assert answer.mimetype == "text/html"  # the page that says there is nothing
    assert client.get("/?__debugger__=yes&cmd=resource&f=debugger.js").mimetype == "text/html"


def test_a_fault_of_ours_tells_an_incident_and_no_more(
    server: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("secret internals at /srv/x.py")

    endpoint = "models.models"
    original = server.view_functions[endpoint]
    server.view_functions[endpoint] = broken
    try:
        answer = server.test_client().get("/api/v1/models")
    finally:
        server.view_functions[endpoint] = original
    text = answer.get_data(as_text=True)
    assert answer.status_code == 500 and is_error(answer)
    assert "secret" not in text and "Traceback" not in text and ".py" not in text
    incident = answer.json["details"]["incident"]
    assert incident in text and incident in caplog.text
    assert "secret internals" in caplog.text


@pytest.mark.parametrize("name", sorted(corpus.PATH_IDS))
def test_files_are_served_from_their_folders_only(server: Flask, name: str) -> None:
    client = server.test_client()
    for folder in ("/assets/", "/_dash-component-suites/dash/", "/_dash-component-suites/"):
        for tail in (corpus.PATH_IDS[name], "..%2f..%2fpyproject.toml", "%2fetc%2fpasswd"):
            with client.get(folder + tail) as answer:
                text = answer.get_data(as_text=True)
            is_page = answer.status_code == 200 and text.lstrip().startswith("<!DOCTYPE html>")
            assert answer.status_code in (400, 404) or is_page, folder + tail
            assert "root:" not in text and "[project]" not in text
