"""Pieces that several REST endpoints share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import request
from flask_openapi3.types import ResponseDict

from services.errors import InvalidArgument
from services.types import ActivationRow
from services.web.schemas import ErrorBody

# What every endpoint may answer besides its own.
_ERROR_STATUSES = (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503, 507)
ERRORS: ResponseDict = dict.fromkeys(_ERROR_STATUSES, ErrorBody)


def no_body() -> None:
    """Refuse a body where none has a meaning; an empty object passes.

    Raises:
        InvalidArgument: there is one.
    """
    if request.get_data(cache=True) and request.get_json():
        raise InvalidArgument("this takes no body")


def rows_document(rows: Sequence[ActivationRow]) -> list[dict[str, Any]]:
    """Activation rows as JSON values."""
    return [asdict(row) for row in rows]
