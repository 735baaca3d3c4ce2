"""Stores that are really built, each in a process of its own, and what that took.

Made activations, about 32 per token of 16,384 features (`made_activations`); making them is not in
the times. Everything is: parts, segments, compaction, statistics, checksums, fsync. The peak is
that of anonymous memory: pages of files that are mapped do not count, the system can take them
back.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.made_activations import D_SAE, PLANTED, batches
from services.store import ActivationStore, StoreSpec, StoreWriter
from services.store.interchange import export_parquet
from services.store.verify import verify

_READINGS = 21
_PARQUET_TOKENS = 1_000_000  # larger stores are not exported


@dataclass(frozen=True, slots=True)
class Built:
    """One store that was built."""

    n_tokens: int
    nnz: int
    seconds: float
    cpu_seconds: float
    peak_mib: float  # above what the process held before
    bytes_parts: int
    bytes_features: int  # the feature-major files alone
    bytes_statistics: int
    bytes_all: int  # of the finished store
    bytes_parquet: int | None
    write_seconds: float  # for as many bytes as both directions have, with fsync
    feature_ms: float  # median for the one of a quarter of the tokens, summed up
    verify_seconds: float
    problems: int  # that verify found


def in_own_process(n_tokens: int) -> Built:
    """Build a store of as many tokens in a folder that is removed."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_build, n_tokens).result()


def _build(n_tokens: int) -> Built:
    for _ in batches(10_000):  # whatever is made once is made now
        pass
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        writer = StoreWriter.create(str(root), StoreSpec(D_SAE, metadata={"source": "string"}))
        clock = _Clock()
        with _Peak() as peak:
            for batch in batches(n_tokens):
                with clock:
                    writer.append(batch)
            with clock:
                writer.finish()
        return _measured(root, clock, peak.mib)


def _measured(root: Path, clock: _Clock, peak_mib: float) -> Built:
    store = ActivationStore.open(root)
    generation = store.manifest.generation
    ranges = sum(span.file.n_bytes for span in generation.ranges)
    started = time.perf_counter()
    problems = verify(str(root))
    verify_seconds = time.perf_counter() - started
    return Built(
        n_tokens=store.n_tokens,
        nnz=generation.nnz,
        seconds=clock.seconds,
        cpu_seconds=clock.cpu_seconds,
        peak_mib=peak_mib,
        bytes_parts=sum(p.file.n_bytes for s in store.manifest.shards for p in s.parts),
        bytes_features=ranges,
        bytes_statistics=generation.features.n_bytes,
        bytes_all=sum(p.stat().st_size for p in root.rglob("*") if p.is_file()),
        bytes_parquet=_parquet_bytes(store, root),
        verify_seconds=verify_seconds,
        problems=len(problems),
        feature_ms=_feature_ms(store),
        write_seconds=_write_seconds(root.parent, 2 * ranges),
    )


def _feature_ms(store: ActivationStore) -> float:
    """Opened, and in the page cache."""
    feature, samples = max(PLANTED, key=PLANTED.__getitem__), []
    for _ in range(_READINGS):
        started = time.perf_counter()
        found = store.feature(feature)
        found.positions.sum(), found.values.sum(dtype="float32")  # every byte is touched
        samples.append(1000 * (time.perf_counter() - started))
    return statistics.median(samples)


def _write_seconds(folder: Path, n_bytes: int) -> float:
    """Time to write as many random bytes to one file and make them durable."""
    block, started = os.urandom(2**24), time.perf_counter()
    with (folder / "bytes").open("wb") as file:
        for _ in range(-(-n_bytes // len(block))):
            file.write(block)
        os.fsync(file.fileno())
    return time.perf_counter() - started


def _parquet_bytes(store: ActivationStore, root: Path) -> int | None:
    """Of the export of a small store."""
    if store.n_tokens > _PARQUET_TOKENS:
        return None
    path = root.with_suffix(".parquet")
    export_parquet(store, path)
    return path.stat().st_size


class _Clock:
    """Adds up the time of the blocks that it is around."""

    seconds = cpu_seconds = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began[0]
        self.cpu_seconds += time.process_time() - self._began[1]


class _Peak:
    """The most anonymous memory of this process while the block runs, above that before it."""

    def __init__(self) -> None:
        self.mib, self._ended = 0.0, threading.Event()

    def __enter__(self) -> _Peak:
        self._before = _anonymous_mib()
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watch.join()

    def _sample(self) -> None:
        while not self._ended.wait(0.01):
            self.mib = max(self.mib, _anonymous_mib() - self._before)


def _anonymous_mib() -> float:
    """NaN where Linux's files are missing."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024
