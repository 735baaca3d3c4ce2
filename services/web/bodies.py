"""How much of a body the server takes before anybody has looked at the request.

A body is received as a whole, to a temporary file, before the application is asked. So the limit
is small for all but uploads, and for these it is lifted only when the caller is known.
"""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import unquote

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from werkzeug.datastructures import Authorization

from services.settings import Settings
from services.web import guards

UPLOADS = "/api/v1/corpora/uploads"
_SLACK = 2**20  # so that the application can say itself what is too large


def channel_for(settings: Settings) -> type[HTTPChannel]:
    """The connections of a server with these settings."""

    class Parser(HTTPRequestParser):
        """A request, as it comes in."""

        def parse_header(self, header_plus: bytes) -> None:
            """The limit of its body is decided when its head is there."""
            super().parse_header(header_plus)
            if self.command == "POST" and unquote(str(self.path)) == UPLOADS and self._is_known():
                self.adj: Any = copy.copy(self.adj)
                self.adj.max_request_body_size = upload_limit(settings) + _SLACK

        def _is_known(self) -> bool:
            given = Authorization.from_header(self.headers.get("AUTHORIZATION"))
            return guards.is_known(given, settings)

    return type("Channel", (HTTPChannel,), {"parser_class": Parser})


def upload_limit(settings: Settings) -> int:
    """Largest upload, in bytes."""
    return settings.max_upload_mb * 10**6
