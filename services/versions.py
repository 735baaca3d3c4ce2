"""The versions that decide what a run's numbers are."""

from __future__ import annotations

import functools
from importlib.metadata import version

_LIBRARIES = ("actiscope", "dash", "sae-lens", "sqlalchemy", "torch", "transformers")


@functools.cache
def library_versions() -> dict[str, str]:
    """Version by distribution name."""
    return {name: version(name) for name in _LIBRARIES}
