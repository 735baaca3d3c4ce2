"""JSON objects in which a key appears twice are refused: whoever wrote one meant something else."""

from __future__ import annotations

from collections import Counter
from typing import Any


class KeyTwice(ValueError):
    """An object has a key twice."""


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs; for `object_pairs_hook` of json.

    Raises:
        KeyTwice: it has a key twice; the message says which.
    """
    values = dict(pairs)
    if len(values) != len(pairs):
        twice = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
        raise KeyTwice(f"the key {twice[:100]!r} appears twice")
    return values
