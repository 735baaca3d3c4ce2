"""What can be wrong with a store, beyond the product's common errors."""

from __future__ import annotations

from services.errors import ActiscopeError


class DamagedStore(ActiscopeError):
    """A file of the store is missing or is not what was written; `path` names it."""

    code, http_status = "DAMAGED_STORE", 500
