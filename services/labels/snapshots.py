"""The newest snapshots of the SAEs that were asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict

from services.labels.snapshot import LabelSnapshot
from services.labels.store import LabelStore

_KEPT = 8  # SAEs; the labels of 100,000 features take about 100 MB


class Snapshots:
    """Keeps snapshots, and brings them up to date when they are asked for. For many threads."""

    def __init__(self, store: LabelStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, LabelSnapshot] = OrderedDict()

    def of(self, sae_id: str) -> LabelSnapshot:
        """All labels as they are now; NotFound when there is no such SAE."""
        with self._lock:
            known = self._kept.get(sae_id)
        if known is None:
            known = LabelSnapshot(self._store.sae(sae_id).sae_id)
        found = self._store.renewed(known)
        with self._lock:
            newest = self._kept.get(sae_id)
            # Of two that read at once, the later one stays.
            if newest is None or newest.epoch != found.epoch or newest.revision <= found.revision:
                self._kept[sae_id] = found
            self._kept.move_to_end(sae_id)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found
