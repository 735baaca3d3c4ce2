"""Faults on both databases: what is the same on either is tried on SQLite by `make test`, and on
PostgreSQL, too, by `make faults`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the PostgreSQL form of tests that come in both to the thorough run."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if (
            item.path.parent == _HERE
            and callspec
            and "postgres" in map(str, callspec.params.values())
        ):
            item.add_marker(pytest.mark.thorough)
