"""What features are about, as text: their top tokens, and the text around their strongest
activations; and how often each token stands in the corpus.

Kept per version of a store, below `<home>/derived/features/<store id>/`: `<version>.parquet` has a
row per feature, `<version>-tokens.parquet` one per token id. An extraction makes them in its last
phase; of other stores they are made when somebody first asks.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from services.errors import ActiscopeError
from services.features.gathering import gather
from services.features.token_counts import COUNTS_SCHEMA, TokenCounts
from services.store.local import LocalStorage
from services.stores.damage import SYMPTOMS
from services.stores.reading import Reading

log = logging.getLogger(__name__)

WAIT_S = 5.0  # that a request waits for texts that nobody made yet
_AGAIN_S = 600.0  # after a failure
_KEPT = 8  # token counts in memory
_SHOWN = ("top_text", "example", "mark_start", "mark_stop")
_ROWS = 16_384  # in a row group


@dataclass(frozen=True)
class TextTable:
    """By feature: lists of texts, empty where a feature is dead or the store has no vocabulary."""

    top_tokens: pa.Array  # distinct, that of the strongest activation first
    examples: pa.Array  # from different documents, around the strongest activations
    mark_start: pa.Array  # characters of the first example at which it fires; null: nowhere
    mark_stop: pa.Array


class FeatureTexts:
    """The derived texts of all stores of a data folder. Safe for many threads and processes."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "derived" / "features"
        self._lock = threading.Lock()
        self._making: dict[tuple[str, int], threading.Event] = {}
        self._failed: dict[tuple[str, int], float] = {}  # when
        self._counts: OrderedDict[tuple[str, int], TokenCounts] = OrderedDict()

    def get(self, reading: Reading) -> TextTable | None:
        """The texts of this version of the store; None where they were not made."""
        try:
            table = pq.read_table(self._path(reading), columns=list(_SHOWN))
        except FileNotFoundError:
            return None
        except (OSError, pa.ArrowException) as error:
            log.warning("texts of %s cannot be read, they are made anew: %s", reading.url, error)
            return None
        if table.num_rows != reading.store.spec.d_sae or table.column_names != list(_SHOWN):
            return None
        return TextTable(*(column.combine_chunks() for column in table.columns))

    def tokens(self, reading: Reading) -> TokenCounts | None:
        """How often each token stands in the corpus, made where it was not; None while the store
        fills. May take as long as reading all tokens of the corpus.
        """
        if not reading.store.complete:
            return None
        key = _key(reading)
        with self._lock:
            if (known := self._counts.get(key)) is not None:
                self._counts.move_to_end(key)
                return known
        found = self._read_counts(reading)
        if found is None:
            self.make(reading)
            found = self._read_counts(reading)
        if found is not None:
            with self._lock:
                self._counts[key] = found
                while len(self._counts) > _KEPT:
                    self._counts.popitem(last=False)
        return found

    def make(
        self,
        reading: Reading,
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> bool:
        """Make both files unless they are there, in the calling thread; False when stopped, or
        while the store fills. Who asks for the same at the same time waits.

        Raises:
            ResourceExhausted: no space is left on the disk.
        """
        if not reading.store.complete:
            return False
        key, mine = _key(reading), threading.Event()
        while (other := self._begin(key, mine)) is not None:
            while not other.wait(0.2):
                if stop():
                    return False
        try:
            return self._is_made(reading) or self._write(reading, stop, progress)
        finally:
            with self._lock:
                self._making.pop(key, None)
            mine.set()

    def soon(self, reading: Reading, wait_s: float = WAIT_S) -> TextTable | None:
        """The texts; where they were not made, that begins beside, and they are waited for a
        little. None when they are not there then; what failed is tried again after some minutes.
        """
        if not reading.store.complete:
            return None
        if (found := self.get(reading)) is not None:
            return found
        with self._lock:
            under_way = self._making.get(_key(reading))
            failed_at = self._failed.get(_key(reading))
        if under_way is not None:
            under_way.wait(wait_s)
        elif failed_at is None or time.monotonic() - failed_at > _AGAIN_S:
            thread = threading.Thread(target=self._make_beside, args=(reading,), daemon=True)
            thread.start()
            thread.join(wait_s)
        return self.get(reading)

    def is_making(self, store_id: str) -> bool:
        """Whether texts of the store are being made by this process."""
        with self._lock:
            return any(key[0] == store_id for key in self._making)

    def forget(self, store_id: str) -> None:
        """Remove what was made of a store."""
        with self._lock:
            for key in [key for key in self._counts if key[0] == store_id]:
                del self._counts[key]
        shutil.rmtree(self._folder / store_id, ignore_errors=True)

    def _begin(self, key: tuple[str, int], mine: threading.Event) -> threading.Event | None:
        """Who makes it at the moment; None when that is the caller."""
        with self._lock:
            other = self._making.setdefault(key, mine)
            return None if other is mine else other

    def _make_beside(self, reading: Reading) -> None:
        try:
            self.make(reading)
        except (ActiscopeError, *SYMPTOMS) as error:
            with self._lock:
                self._failed[_key(reading)] = time.monotonic()
            log.warning("texts of the features of %s cannot be made: %s", reading.url, error)

    def _is_made(self, reading: Reading) -> bool:
        return self.get(reading) is not None and self._read_counts(reading) is not None

    def _write(
        self,
        reading: Reading,
        stop: Callable[[], bool],
        progress: Callable[[int, int], None],
    ) -> bool:
        gathered = gather(reading, stop, progress)
        if gathered is None:
            return False
        path, counts = self._path(reading), self._counts_path(reading)
        storage = LocalStorage(path.parent, "making")
        with storage.writing(counts.name) as file:
            pq.write_table(gathered.counts, file.local, compression="zstd")
        with storage.writing(path.name) as file:
            pq.write_table(gathered.texts, file.local, compression="zstd", row_group_size=_ROWS)
        for other in path.parent.glob("*.parquet"):
            if other not in (path, counts):  # of an earlier version
                other.unlink(missing_ok=True)
        return True

    def _read_counts(self, reading: Reading) -> TokenCounts | None:
        try:
            table = pq.read_table(self._counts_path(reading)).cast(COUNTS_SCHEMA)
        except FileNotFoundError:
            return None
        except (OSError, pa.ArrowException, ValueError) as error:
            log.warning("token counts of %s cannot be read: %s", reading.url, error)
            return None
        store = reading.store
        return TokenCounts.read(table, store.n_counted, store.n_documents)

    def _path(self, reading: Reading) -> Path:
        return self._folder / reading.store_id / f"{reading.store.manifest.version}.parquet"

    def _counts_path(self, reading: Reading) -> Path:
        path = self._path(reading)
        return path.with_name(f"{path.stem}-tokens.parquet")


def _key(reading: Reading) -> tuple[str, int]:
    return reading.store_id, reading.store.manifest.version
