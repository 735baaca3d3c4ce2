"""What the database layer raises; `db.unit_of_work` maps the drivers' errors to these.

    DatabaseError
    ├── DatabaseUnavailable   away, locked, timed out: the same call may succeed later
    ├── DatabaseFull          no space left; nothing of the transaction was kept
    ├── DuplicateRequest      a run with this request_id exists
    ├── RunIsActive           the run is queued or running, so it cannot be deleted
    └── SchemaMismatch        written by a newer version of the product

A value that a column refuses (NUL, a lone surrogate, NaN, a numpy integer, too large an integer)
is a plain `ValueError` whose message says what was wrong.
"""

from __future__ import annotations


class DatabaseError(Exception):
    """Something about the database that the caller can act on."""


class DatabaseUnavailable(DatabaseError):
    """The database is away, locked or too slow; the transaction was not kept."""


class DatabaseFull(DatabaseError):
    """No space is left for the database; nothing of the transaction was kept."""


class DuplicateRequest(DatabaseError):
    """A run with this request_id exists already."""


class RunIsActive(DatabaseError):
    """The run is queued or running: it cannot be deleted yet."""


class SchemaMismatch(DatabaseError):
    """The database was written by a version of the product that this one does not know."""
