"""Stores that are kept open: the ones used last, each as its newest version has it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from services.stores.reading import Reading

MOST_OPEN = 16
_LOOK_S = 1.0  # so often is a store asked for a newer version


@dataclass(slots=True)
class _Opened:
    lock: threading.Lock = field(default_factory=threading.Lock)
    reading: Reading | None = None
    looked_at: float = 0.0


class OpenStores:
    """Opened by `open_one` when first asked for; the one used longest ago goes first."""

    def __init__(self, open_one: Callable[[str], Reading], most: int = MOST_OPEN) -> None:
        self._open_one, self._most = open_one, most
        self._lock = threading.Lock()  # of the table only: opening may take long
        self._opened: OrderedDict[str, _Opened] = OrderedDict()

    def get(self, store_id: str) -> Reading:
        """The store, at most a second behind what was written.

        Raises:
            NotFound: there is none, or there is none any more.
        """
        entry = self._entry(store_id)
        with entry.lock:
            try:
                return self._newest(store_id, entry)
            except BaseException:
                self.forget(store_id)
                raise

    def forget(self, store_id: str) -> None:
        """Close the store; who reads it goes on."""
        with self._lock:
            self._opened.pop(store_id, None)

    def _entry(self, store_id: str) -> _Opened:
        with self._lock:
            entry = self._opened.setdefault(store_id, _Opened())
            self._opened.move_to_end(store_id)
            while len(self._opened) > self._most:
                self._opened.popitem(last=False)
            return entry

    def _newest(self, store_id: str, entry: _Opened) -> Reading:
        now = time.monotonic()
        if entry.reading is None:
            entry.reading = self._open_one(store_id)
        elif now - entry.looked_at < _LOOK_S:
            return entry.reading
        else:
            entry.reading = entry.reading.refreshed()
        entry.looked_at = now
        return entry.reading
