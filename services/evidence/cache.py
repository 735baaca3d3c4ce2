"""What took long is kept: the results used last, by the version of the store they are of."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from services.stores.reading import Reading

T = TypeVar("T")


class Cache:
    """Safe for many threads; two that ask for the same at once compute it twice."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, reading: Reading, key: Hashable, make: Callable[[], T]) -> T:
        """The result of `make` for this version of the store."""
        whole = (reading.url, reading.store.manifest.version, key)
        with self._lock:
            if whole in self._kept:
                self._kept.move_to_end(whole)
                found: T = self._kept[whole]
                return found
        made = make()
        with self._lock:
            self._kept[whole] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made
