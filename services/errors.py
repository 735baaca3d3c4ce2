"""The error tree: one class per question a caller would ask, one JSON shape for all.

    ActiscopeError
    ├── InvalidArgument    400  a value of the request is wrong: which, and what would be right
    ├── Unauthenticated    401  who are you?
    ├── Forbidden          403  you, but not this (foreign host, foreign origin)
    ├── NotFound           404  no such run, model, SAE
    ├── Conflict           409  the same id with another meaning
    ├── TooLarge           413  more than the stated limit
    ├── Unsupported        422  understood, but this model or SAE cannot do it
    ├── Busy               429  the queue is full: come back after `retry_after_s`
    ├── Internal           500  a bug; carries an incident id, never a traceback
    ├── Unavailable        503  the database or the model is away
    └── ResourceExhausted  507  memory or disk does not suffice

Errors are raised where the value is first seen to be wrong and caught at four edges only:
Dash's `on_error`, REST, the command line, and the workers that execute runs and jobs.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from services.types import RunView

log = logging.getLogger(__name__)


class ActiscopeError(Exception):
    """Something went wrong that the reader of the message can do something about."""

    code: ClassVar[str] = "INTERNAL"
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def as_json(self) -> dict[str, Any]:
        """The one error shape of the product, as REST and the command line print it."""
        return {
            "status": "error",
            "error_code": self.code,
            "message": self.message,
            "details": self.details,
        }


class InvalidArgument(ActiscopeError):
    """A value of the request is wrong."""

    code, http_status = "INVALID_ARGUMENT", 400


class Unauthenticated(ActiscopeError):
    """The caller did not say who they are."""

    code, http_status = "UNAUTHENTICATED", 401


class Forbidden(ActiscopeError):
    """The caller may not do this from where they are."""

    code, http_status = "FORBIDDEN", 403


class NotFound(ActiscopeError):
    """The named thing does not exist."""

    code, http_status = "NOT_FOUND", 404


class Conflict(ActiscopeError):
    """The id exists already and means something else."""

    code, http_status = "CONFLICT", 409


class TooLarge(ActiscopeError):
    """The request exceeds a stated limit."""

    code, http_status = "TOO_LARGE", 413


class Unsupported(ActiscopeError):
    """The request is understood, but this model or SAE cannot do it."""

    code, http_status = "UNSUPPORTED", 422


class Busy(ActiscopeError):
    """All places in the queue are taken; `retry_after_s` says when to come back."""

    code, http_status = "BUSY", 429

    def __init__(self, message: str, *, retry_after_s: int = 5, **details: Any) -> None:
        super().__init__(message, retry_after_s=retry_after_s, **details)
        self.retry_after_s = retry_after_s


class Internal(ActiscopeError):
    """A bug: the log has the traceback under the incident id in `details`."""

    code, http_status = "INTERNAL", 500


class Unavailable(ActiscopeError):
    """Something that this needs is away for now: the database, the model."""

    code, http_status = "UNAVAILABLE", 503


class ResourceExhausted(ActiscopeError):
    """Memory or disk does not suffice for this."""

    code, http_status = "RESOURCE_EXHAUSTED", 507


def as_product_error(error: BaseException) -> ActiscopeError:
    """`error` itself when typed; else an incident, whose traceback goes to the log."""
    if isinstance(error, ActiscopeError):
        return error
    incident = uuid.uuid4().hex[:12]
    log.error("incident %s", incident, exc_info=error)
    return Internal(
        f"something went wrong inside; the log has the details under incident {incident}",
        incident=incident,
    )


def failure_of(view: RunView) -> ActiscopeError:
    """The stored error of a failed run, as it would have been raised."""
    stored = view.provenance.get("error") or {}
    known = {kind.code: kind for kind in ActiscopeError.__subclasses__()}
    kind = known.get(stored.get("code") or "", Internal)
    error = kind(view.summary.error_message or "the run failed")
    error.details |= {**stored.get("details", {}), "request_id": view.summary.request_id}
    return error
