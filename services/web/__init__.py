"""The web edge: REST, guards, errors as HTTP. The only importer of Flask."""

from __future__ import annotations

from services.web.server import install, make_server

__all__ = ["install", "make_server"]
