"""Response headers: what browsers may do with our answers, and how long they may keep them."""

from __future__ import annotations

from flask import Flask, Response, request

from services.web.errors import is_api
from services.web.state import state

_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_A_YEAR_S = 365 * 24 * 3600


def register(server: Flask) -> None:
    """Put the headers on every response of `server`, errors included."""
    server.after_request(add_headers)


def add_headers(response: Response) -> Response:
    """Security headers always; caching where the view did not decide."""
    for name, value in _FIXED.items():
        response.headers.setdefault(name, value)
    response.headers["Content-Security-Policy"] = _policy(response)
    _add_caching(response)
    return response


def content_security_policy(script_hashes: list[str]) -> str:
    """Own scripts and the inline scripts with these hashes; own everything else."""
    return "; ".join(
        [
            "default-src 'self'",
            " ".join(["script-src 'self'", *script_hashes]),
            "style-src 'self' 'unsafe-inline'",  # Mantine and Plotly set styles on elements
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "worker-src 'self' blob:",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "object-src 'none'",
            "form-action 'self'",
        ]
    )


def _policy(response: Response) -> str:
    # The hashes follow the inline scripts of the page that is sent; hashing takes microseconds,
    # and a policy remembered from before the last script was registered would break the page.
    is_page = response.mimetype == "text/html" and response.status_code == 200
    return content_security_policy(state().csp_hashes() if is_page else [])


def _add_caching(response: Response) -> None:
    caching = response.cache_control
    if response.status_code >= 400 or is_api():
        caching.no_store = True
    elif _is_fingerprinted():
        caching.max_age = _A_YEAR_S
        caching.no_cache = None
        caching.immutable = True
        if state().container.settings.auth_token is not None:
            caching.private = True
    elif not caching.max_age:
        caching.no_cache = True


def _is_fingerprinted() -> bool:
    # Dash appends the file's time of change to the assets it links.
    endpoint = request.endpoint or ""
    return endpoint.endswith(".static") and "m" in request.args
