"""One version of a store with what its readers share: the vocabulary, and what is counted once."""

from __future__ import annotations

import threading
from functools import cached_property

import numpy as np

from services.store import ActivationStore
from services.store.storage import open_storage
from services.stores.vocabulary import Vocabulary, read_vocabulary, required


class Reading:
    """A store under its id; `refreshed()` gives the newest version."""

    def __init__(
        self, store_id: str, url: str, store: ActivationStore, vocabulary: Vocabulary | None = None
    ) -> None:
        self.store_id, self.url, self.store = store_id, url, store
        self._lock, self._vocabulary = threading.Lock(), vocabulary
        self._has_looked = vocabulary is not None

    @classmethod
    def open(cls, store_id: str, url: str) -> Reading:
        """NotFound when there is no store at `url`."""
        return cls(store_id, url, ActivationStore.open(url))

    def refreshed(self) -> Reading:
        """The newest version; this one when there is no newer."""
        newer = self.store.refreshed()
        if newer is self.store:
            return self
        return Reading(self.store_id, self.url, newer, self._vocabulary)

    @property
    def vocabulary(self) -> Vocabulary | None:
        """What the token ids read as; looked for once in each version."""
        with self._lock:
            if not self._has_looked:
                self._vocabulary = read_vocabulary(open_storage(self.url))
                self._has_looked = True
            return self._vocabulary

    @property
    def required_vocabulary(self) -> Vocabulary:
        """The same; Unsupported without one."""
        return required(self.vocabulary)

    @cached_property
    def counts(self) -> np.ndarray:
        """Activations per feature [d_sae]; while the store fills this reads its newest parts."""
        return self.store.counts()
