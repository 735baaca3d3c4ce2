"""Where a hub may send us: large files lie on other hosts than the hub itself."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urljoin, urlsplit

from services.hub.failures import BadRedirect

_PORTS = {"http": 80, "https": 443}


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return parts.scheme, (parts.hostname or "").lower(), port


def followed(endpoint: str, url: str, location: str) -> str:
    """The absolute address that `url` redirects to.

    Not followed: another scheme than http(s), https to http, and, from a hub on the internet,
    an address inside this machine or its network.
    """
    try:
        target = urljoin(url, location)
        scheme, host, _ = origin(target)
    except ValueError:
        raise BadRedirect("an address that is none") from None
    if scheme not in _PORTS or (scheme == "http" and urlsplit(endpoint).scheme == "https"):
        raise BadRedirect(f"{host or 'nowhere'} over {scheme or 'nothing'}")
    home = origin(endpoint)[1]
    if host != home and is_inside(host) and not is_inside(home):
        raise BadRedirect(f"{host}, inside this machine's network")
    return target


def is_inside(host: str) -> bool:
    """Whether any address of the host is no public one; an unknown host is not inside."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(not ipaddress.ip_address(str(f[4][0]).split("%")[0]).is_global for f in found)
