"""What goes wrong with a hub, as the product's errors: what happened, and what to do.

No message holds the token or a signed address, and what the library raised is not chained.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from services.errors import (
    ActiscopeError,
    Busy,
    Forbidden,
    NotFound,
    ResourceExhausted,
    Unavailable,
)

_TOKEN = "ACTISCOPE_HUB_TOKEN or HF_TOKEN"  # noqa: S105  (the names of settings)
_FALLBACK_RETRY_S = 60
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NotAHub(Exception):
    """The endpoint answers, but not as a hub does."""


class BadRedirect(Exception):
    """The endpoint sends us to where nothing is fetched from."""


class WrongSize(Exception):
    """The file is served with another size than listed."""


@dataclass(frozen=True, slots=True)
class Place:
    """What was asked for, for the messages."""

    endpoint: str
    has_token: bool
    repo_id: str
    revision: str
    path: str = ""

    @property
    def host(self) -> str:
        """The endpoint's host name."""
        return urlsplit(self.endpoint).hostname or self.endpoint


def is_transient(error: BaseException) -> bool:
    """Whether the same request may well succeed in a moment."""
    response = getattr(error, "response", None)
    if response is not None:
        return int(response.status_code) >= 500
    return _is_a(error, "TransportError") and not _is_a(error, "UnsupportedProtocol")


def is_unreachable(error: BaseException) -> bool:
    """Whether no connection came about at all."""
    return _is_a(error, "ConnectError", "ConnectTimeout")


def as_hub_error(error: BaseException, place: Place) -> ActiscopeError:
    """`error` as one of the product's; a bug of ours stays what it is."""
    if isinstance(error, ActiscopeError):
        return error
    if getattr(error, "response", None) is not None:
        return _of_status(error, place)
    if isinstance(error, NotAHub):
        return Unavailable(
            f"{place.endpoint} does not answer as a model hub does ({error}): check "
            "ACTISCOPE_HUB_ENDPOINT, and whether a proxy asks you to sign in"
        )
    if isinstance(error, BadRedirect):
        return Unavailable(f"{place.endpoint} redirects to {error}, which is not followed")
    if _is_a(error, "HTTPError", "InvalidURL", "StreamError"):
        return _of_connection(error, place)
    if isinstance(error, OSError):
        return _of_disk(error, place)
    raise error


def _of_status(error: BaseException, place: Place) -> ActiscopeError:
    response = error.response  # type: ignore[attr-defined]
    status = int(response.status_code)
    if _is_a(error, "GatedRepoError"):
        return _gated(place)
    if _is_a(error, "DisabledRepoError"):
        return Forbidden(f"{place.repo_id} was disabled on {place.host}; nobody can download it")
    if status == 429:
        seconds = _retry_after_s(response.headers)
        return Busy(
            f"{place.host} takes no more requests from here for now: try again in {seconds} s"
            + ("" if place.has_token else f"; with a token ({_TOKEN}) its limits are wider"),
            retry_after_s=seconds,
        )
    if status >= 500:
        return Unavailable(f"{place.host} has a fault of its own ({status}): try again later")
    if status == 404 or _is_a(error, "RepositoryNotFoundError"):
        return _not_found(error, place)
    if status in (401, 403):
        return _refused(place, status)
    return Unavailable(
        f"{place.host} refuses the request ({status}): check ACTISCOPE_HUB_ENDPOINT",
        status=status,
    )


def _of_disk(error: OSError, place: Place) -> ActiscopeError:
    what = f"{place.path or place.repo_id} cannot be written ({error.strerror})"
    if error.errno in _FULL:
        return ResourceExhausted(
            f"{what}: make room in the data folder (ACTISCOPE_HOME) and start again; "
            "what was downloaded is kept"
        )
    return Unavailable(f"{what}: check the data folder (ACTISCOPE_HOME)")


def _gated(place: Place) -> Forbidden:
    page = f"{place.endpoint}/{place.repo_id}"
    accept = f"{place.repo_id} is gated: accept its licence at {page}"
    if place.has_token:
        return Forbidden(
            f"{accept} with the account of your token; if you have, the owner may still have to "
            "agree, or the token lacks the right to read gated repositories",
            repo_id=place.repo_id,
        )
    return Forbidden(
        f"{accept}, make an access token of the same account, and start Actiscope with "
        f"{_TOKEN} set to it",
        repo_id=place.repo_id,
    )


def _refused(place: Place, status: int) -> Forbidden:
    if place.has_token:
        advice = f"the token is wrong, has expired or may not read it: renew it ({_TOKEN})"
    else:
        advice = f"it wants to know who you are: set {_TOKEN} to an access token"
    return Forbidden(
        f"{place.host} does not give out {place.repo_id} ({status}): {advice}",
        repo_id=place.repo_id,
    )


def _not_found(error: BaseException, place: Place) -> NotFound:
    if _is_a(error, "RevisionNotFoundError"):
        return NotFound(
            f"{place.repo_id} has no revision {place.revision!r}: give a branch, a tag or a "
            "commit, or none for main",
            repo_id=place.repo_id,
            revision=place.revision,
        )
    if _is_a(error, "EntryNotFoundError"):
        return NotFound(
            f"{place.repo_id} holds no file {place.path!r} at {place.revision[:10]}",
            repo_id=place.repo_id,
            path=place.path,
        )
    private = "your token may not see it" if place.has_token else f"then set {_TOKEN}"
    return NotFound(
        f"{place.host} has no model repository {place.repo_id!r}: check how it is written; "
        f"it may also be private ({private})",
        repo_id=place.repo_id,
    )


def _of_connection(error: BaseException, place: Place) -> Unavailable:
    causes = _causes(error)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        what = "is not found by this machine's name look-up"
    elif any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Unavailable(
            f"{place.host} shows a certificate that this machine does not trust; behind a "
            "proxy that replaces certificates, set SSL_CERT_FILE to its own"
        )
    elif _is_a(error, "TimeoutException"):
        what = "does not answer in time"
    elif is_unreachable(error):
        what = "cannot be reached"
    else:
        what = "broke off the connection"
    return Unavailable(
        f"{place.host} {what}: check the network and ACTISCOPE_HUB_ENDPOINT, then try again; "
        "what was downloaded is kept. Without a network, add from a local folder"
    )


def _retry_after_s(headers: object) -> int:
    """By the hub's own rate-limit header, else Retry-After, else a minute."""
    get = headers.get  # type: ignore[attr-defined]
    window = re.search(r";\s*r=0\s*;\s*t=(\d{1,6})", get("ratelimit") or "")
    given = (get("retry-after") or "").strip()
    seconds = int(window[1]) if window else int(given) if given.isdigit() else _FALLBACK_RETRY_S
    return max(1, min(seconds, 86_400))


def _is_a(error: BaseException, *names: str) -> bool:
    # By name: huggingface_hub has changed the library below it (httpx, httpx2) under one API.
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
