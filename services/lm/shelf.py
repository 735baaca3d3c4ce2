"""What is in memory, by kind and id: how large, used when, held by whom. No torch here."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from services.errors import Conflict

Kind = Literal["models", "saes"]
Key = tuple[Kind, str]
_WORDS = {"models": "model", "saes": "SAE"}


@dataclass(slots=True)
class _Item:
    value: Any
    size: int
    stamp: object  # what its folder looked like when it was read
    used: int


class Shelf:
    """Loaded things. Every method answers at once, from any thread."""

    def __init__(self) -> None:
        self._items: dict[Key, _Item] = {}
        self._holds: Counter[Key] = Counter()
        self._clock = itertools.count()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Any | None:
        """What is kept under `key`, which counts as used now; None when nothing is."""
        with self._lock:
            item = self._items.get(key)
            if item is None:
                return None
            item.used = next(self._clock)
            return item.value

    def put(self, key: Key, value: Any, size: int, stamp: object) -> None:
        """Keep `value`, of `size` bytes, in place of what was there."""
        with self._lock:
            self._items[key] = _Item(value, size, stamp, next(self._clock))

    def stamp(self, key: Key) -> object | None:
        """The stamp of what is kept; None when nothing is."""
        with self._lock:
            item = self._items.get(key)
            return None if item is None else item.stamp

    def drop(self, key: Key) -> bool:
        """Let go of `key`; whether it was there.

        Raises:
            Conflict: it is held.
        """
        with self._lock:
            if key in self._items and self._holds[key]:
                raise Conflict(
                    f"the {_WORDS[key[0]]} {key[1]} is being used: wait for the run to end, or "
                    "cancel it",
                    id=key[1],
                )
            return self._items.pop(key, None) is not None

    def is_held(self, key: Key) -> bool:
        """Whether somebody counts on `key` staying."""
        with self._lock:
            return self._holds[key] > 0

    @contextmanager
    def hold(self, keys: Sequence[Key]) -> Iterator[None]:
        """Nobody drops `keys` meanwhile, also where they are loaded only later."""
        with self._lock:
            self._holds.update(keys)
        try:
            yield
        finally:
            with self._lock:
                self._holds.subtract(keys)
                self._holds = +self._holds  # forgets those that nobody holds any more

    def drop_oldest(self) -> Key | None:
        """Let go of what was used longest ago and is not held; None when there is no such thing."""
        with self._lock:
            free = [key for key in self._items if not self._holds[key]]
            if not free:
                return None
            oldest = min(free, key=lambda key: self._items[key].used)
            del self._items[oldest]
            return oldest

    def sizes(self) -> dict[str, dict[str, int]]:
        """Bytes by kind and id."""
        with self._lock:
            found: dict[str, dict[str, int]] = {"models": {}, "saes": {}}
            for kind, id in sorted(self._items):
                found[kind][id] = self._items[kind, id].size
            return found

    def used(self) -> int:
        """Bytes of all that is kept."""
        with self._lock:
            return sum(item.size for item in self._items.values())
