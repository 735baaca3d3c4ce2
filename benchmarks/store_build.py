"""Building a store: time per token, bytes per activation, and memory as the corpus grows.

Made activations, about 32 per token of 16,384 features (`made_activations`); making them is not in
the times. Everything is: parts, segments, compaction, statistics, checksums, fsync. Each size is
built in a process of its own, and its peak is that of anonymous memory: pages of files that are
mapped do not count, the system can take them back.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.made_activations import D_SAE, batches
from benchmarks.result import Result
from services.store import ActivationStore, StoreSpec, StoreWriter
from services.store.interchange import export_parquet

_TIMES = (1, 3, 10)
_GOAL_US = 4.0  # per token: 250,000 tokens per second
_GOAL_GROWTH = 1.1


@dataclass(frozen=True, slots=True)
class _Built:
    """One store that was built."""

    n_tokens: int
    nnz: int
    seconds: float
    cpu_seconds: float
    peak_mib: float  # above what the process held before
    bytes_parts: int
    bytes_features: int  # the feature-major files alone
    bytes_statistics: int
    bytes_parquet: int | None
    write_seconds: float  # for as many bytes, with fsync


def measure(quick: bool) -> list[Result]:
    """The same at 1, 3 and 10 times the tokens."""
    base = 20_000 if quick else 600_000
    built = [_in_own_process(times * base) for times in _TIMES]
    last = built[-1]
    return [_speed(built), *_sizes(built[0], last), _memory(built)]


def _speed(built: list[_Built]) -> Result:
    last = built[-1]
    per_token = [1e6 * b.seconds / b.n_tokens for b in built]
    return Result(
        name=f"building a store of {last.n_tokens / 1e6:.1f} M tokens, statistics included",
        value=per_token[-1],
        unit="µs/token",
        anchor=f"writing as many bytes, fsync included: {last.write_seconds:.1f} s",
        repetitions=len(built),
        spread=(min(per_token), max(per_token)),
        goal=_GOAL_US,
        details={
            "tokens per second": last.n_tokens / last.seconds,
            "tokens per second of processor time": last.n_tokens / last.cpu_seconds,
            "seconds ÷ writing alone": last.seconds / last.write_seconds,
            "activations per token": last.nnz / last.n_tokens,
        },
    )


def _sizes(first: _Built, last: _Built) -> Iterable[Result]:
    sizes = (
        ("feature-major", last.bytes_features / last.nnz, 6.0),
        ("token-major", last.bytes_parts / last.nnz, 4.5),
        ("as Parquet export", (first.bytes_parquet or 0) / first.nnz, 3.0),
    )
    for name, value, goal in sizes:
        yield Result(
            name=f"bytes per activation, {name}",
            value=value,
            unit="bytes",
            anchor="Delphi's cache: 8 to 14 for one direction",
            repetitions=1,
            spread=(value, value),
            goal=goal,
            details={"statistics, bytes per feature": last.bytes_statistics / D_SAE},
        )


def _memory(built: list[_Built]) -> Result:
    peaks = [b.peak_mib for b in built]
    growth = max(peaks) / peaks[0]
    return Result(
        name="peak memory at 10 times the tokens ÷ at once",
        value=peaks[-1] / peaks[0],
        unit="×",
        anchor=f"{built[0].n_tokens:,} tokens: {peaks[0]:.0f} MiB above the idle process",
        repetitions=1,
        spread=(min(peaks) / peaks[0], growth),
        goal=_GOAL_GROWTH,
        details={f"{b.n_tokens:,} tokens, MiB": b.peak_mib for b in built},
    )


def _in_own_process(n_tokens: int) -> _Built:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_build, n_tokens).result()


def _build(n_tokens: int) -> _Built:
    for _ in batches(10_000):  # whatever is made once is made now
        pass
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        writer = StoreWriter.create(str(root), StoreSpec(D_SAE, metadata={"source": "string"}))
        clock = _Clock()
        nnz = 0
        with _Peak() as peak:
            for batch in batches(n_tokens):
                with clock:
                    writer.append(batch)
                nnz += len(batch.features)
            with clock:
                writer.finish()
        store = ActivationStore.open(root)
        ranges = sum(span.file.n_bytes for span in store.manifest.generation.ranges)
        return _Built(
            n_tokens=n_tokens,
            nnz=nnz,
            seconds=clock.seconds,
            cpu_seconds=clock.cpu_seconds,
            peak_mib=peak.mib,
            bytes_parts=sum(p.file.n_bytes for s in store.manifest.shards for p in s.parts),
            bytes_features=ranges,
            bytes_statistics=store.manifest.generation.features.n_bytes,
            bytes_parquet=_parquet_bytes(store, root),
            write_seconds=_write_seconds(Path(folder), 2 * ranges),
        )


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
    if store.n_tokens > 1_000_000:
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
