"""Who may ask what, decided before anything else happens to a request.

In this order: the Host header names this server (DNS rebinding), the caller is known (when a
token is set), no foreign page sends on a user's behalf (CSRF), the body is JSON of bounded size
and depth, or the file of an upload. Nothing here trusts `X-Forwarded-*`, the raw path or the body
to decide who somebody is, and there are no CORS headers at all. Not covered: guessing the token by
brute force (it has at least 16 characters), and encryption (put a TLS proxy in front).
"""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.datastructures import Authorization
from werkzeug.exceptions import UnsupportedMediaType

from services.errors import Forbidden, InvalidArgument, NotFound, Unauthenticated
from services.settings import Settings
from services.web import dash_requests, strict_json
from services.web.errors import is_api
from services.web.state import state

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_FETCHES = frozenset({"same-origin", "none"})
_MIN_BODY_LIMIT = 2 * 1024 * 1024
_UPLOAD = "corpora.upload"  # the one endpoint that takes a file, and reads it piece by piece


class StrictJSON(DefaultJSONProvider):
    """Flask's JSON, with request bodies read by `strict_json`."""

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """The value that `s` spells; see `strict_json.loads`."""
        return strict_json.loads(s)


def body_limit(settings: Settings) -> int:
    """Largest accepted body in bytes: the longest prompt, every character escaped as `\\uNNNN`."""
    return max(_MIN_BODY_LIMIT, 12 * settings.max_prompt_chars + 64 * 1024)


def register(server: Flask) -> None:
    """Put the guards before every other hook of `server`, Dash's included."""
    server.before_request_funcs.setdefault(None, []).insert(0, check_request)


def check_request() -> None:
    """Refuse what must not go on, by raising."""
    settings = state().container.settings
    check_host(request.host, settings)
    _check_credentials(settings)
    if request.method not in _SAFE_METHODS:
        check_origin()
        if request.endpoint == _UPLOAD:
            _let_in()
        else:
            _check_body()
    if is_api():
        _check_path()
        _check_parameters()
    elif dash_requests.is_callback():
        dash_requests.check(request.get_json())


def check_host(host: str, settings: Settings) -> None:
    """Refuse names that are not this server's: a foreign name may be rebound to this address."""
    name = host_name(host)
    if name not in settings.browser_hosts:
        raise Forbidden(
            f"this server does not answer to the name {name[:100]!r}; "
            "add it to ACTISCOPE_ALLOWED_HOSTS when it is yours"
        )


def host_name(host: str) -> str:
    """The name in a Host header, without port, brackets and the root's dot."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    return name.rstrip(".")


def check_origin() -> None:
    """Refuse what a page of another origin sent; tools that are no browser send neither header."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        allowed = site in _OWN_FETCHES
    elif origin is not None:
        allowed = origin == f"{request.scheme}://{request.host}"
    else:
        allowed = True
    if not allowed:
        raise Forbidden("a page of another origin may not change anything here")


def _check_credentials(settings: Settings) -> None:
    if not is_known(request.authorization, settings):
        raise Unauthenticated(
            "this server wants its token: 'Authorization: Bearer <token>', or the token as "
            "password of HTTP Basic with any user name"
        )


def is_known(given: Authorization | None, settings: Settings) -> bool:
    """Whether these credentials are the server's, or it asks for none."""
    if settings.auth_token is None:
        return True
    secret = settings.auth_token.get_secret_value().encode()
    return hmac.compare_digest(_offered_secret(given), secret)


def _offered_secret(given: Authorization | None) -> bytes:
    if given is None:
        return b""
    offered = given.token if given.type == "bearer" else given.password
    return (offered or "").encode("utf-8", "replace")


def _let_in() -> None:
    """A file is checked while it is read; its type is one that no form of a page can send."""
    if request.mimetype != "application/octet-stream":
        raise UnsupportedMediaType("send the file as Content-Type: application/octet-stream")
    request.max_content_length = 2**62


def _check_body() -> None:
    if not request.get_data(cache=True):
        return
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("send the body as Content-Type: application/json")
    body = request.get_json()
    if is_api() and not isinstance(body, dict):
        raise InvalidArgument("the body must be a JSON object")


def _check_path() -> None:
    # No id has one, and PostgreSQL refuses to look for it.
    if "\x00" in request.path:
        raise NotFound("nothing here has an address with U+0000 in it")


def _check_parameters() -> None:
    for name, values in request.args.lists():
        if len(values) > 1:
            raise InvalidArgument(f"the parameter {name[:100]!r} is given {len(values)} times")
        if "\x00" in name or "\x00" in values[0]:
            raise InvalidArgument(f"the parameter {name[:100]!r} contains U+0000")
