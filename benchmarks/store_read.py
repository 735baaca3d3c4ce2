"""Reading all activations of one feature: the store against the transposed Zarr layout.

The anchor is the layout of the activation servers that came before: one Zarr array [features,
samples] of float32 in chunks of 1 × 10,000, Blosc zstd 3 with shuffle, of which a loader reads a
row and keeps what is not zero. Both sides return int64 positions and float32 values, and must
agree. Warm: both are open and in the page cache. Cold: what belongs to a side is evicted from the
page cache and it is opened anew; the time to open the store is in the details.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.made_activations import D_SAE, PLANTED, batches
from benchmarks.result import Result, Samples, Skipped, interleaved, ratio
from services.store import ActivationStore, Batch, StoreSpec, StoreWriter
from services.store.values import widened

_ACTIVATIONS = (100_000, 500_000)
_GOALS = {(2, "warm"): 60, (2, "cold"): 10, (20, "warm"): 400, (20, "cold"): 90}
_CHUNK = 10_000


@dataclass(frozen=True, slots=True)
class _Pair:
    """The same two features in both layouts."""

    store: Path
    zarr: Path


def measure(quick: bool) -> list[Result]:
    """Two features at 2 million tokens of a full store, and at 20 million."""
    try:
        import zarr  # noqa: F401
    except ImportError:
        raise Skipped("zarr is not installed") from None
    million = 20_000 if quick else 1_000_000
    repetitions = 2 if quick else 9
    results = []
    for millions, made in ((2, batches), (20, _sparse_batches)):
        with tempfile.TemporaryDirectory() as folder:
            pair = _build(Path(folder), made(millions * million))
            for feature, n in zip(PLANTED, _ACTIVATIONS, strict=True):
                results += _measure(pair, feature, millions, n, repetitions)
    return results


def _measure(pair: _Pair, feature: int, millions: int, n: int, repetitions: int) -> list[Result]:
    opening: list[float] = []
    warm = _warm(pair, feature, repetitions)
    gc.collect()  # a file that is mapped cannot be evicted
    cold = _cold(pair, feature, repetitions, opening)
    more = {"opening the store cold, ms": 1000 * statistics.median(opening)}
    return [
        _result("warm", millions, n, warm, {}),
        _result("cold", millions, n, cold, more),
    ]


def _warm(pair: _Pair, feature: int, repetitions: int) -> Samples:
    store, array = ActivationStore.open(pair.store), _open_zarr(pair.zarr)
    _require_equal(_ours(store, feature), _theirs(array, feature))
    return interleaved(
        {
            "ours": lambda: _seconds(lambda: _ours(store, feature)),
            "zarr": lambda: _seconds(lambda: _theirs(array, feature)),
        },
        repetitions,
    )


def _cold(pair: _Pair, feature: int, repetitions: int, opening: list[float]) -> Samples:
    def ours() -> float:
        _evict(pair.store)
        started = time.perf_counter()
        store = ActivationStore.open(pair.store)
        opening.append(time.perf_counter() - started)
        return _seconds(lambda: _ours(store, feature))

    def theirs() -> float:
        _evict(pair.zarr)
        array = _open_zarr(pair.zarr)
        return _seconds(lambda: _theirs(array, feature))

    return interleaved({"ours": ours, "zarr": theirs}, repetitions)


def _result(kind: str, millions: int, n: int, samples: Samples, more: dict[str, Any]) -> Result:
    value, spread = ratio(samples["ours"], samples["zarr"])
    milliseconds = {name: 1000 * statistics.median(v) for name, v in samples.items()}
    return Result(
        name=f"feature of {n // 1000} k activations in {millions} M tokens, {kind} ÷ Zarr",
        value=value,
        unit="×",
        anchor=f"transposed Zarr: {milliseconds['zarr']:.1f} ms",
        repetitions=len(samples["ours"]),
        spread=spread,
        goal=1 / _GOALS[millions, kind],
        details={
            "store, ms": milliseconds["ours"],
            "times faster": 1 / value,
            **more,
        },
    )


def _build(folder: Path, made: Iterator[Batch]) -> _Pair:
    pair = _Pair(folder / "store", folder / "zarr")
    spec = StoreSpec(D_SAE, metadata={"source": "string"})
    writer = StoreWriter.create(str(pair.store), spec)
    for batch in made:
        writer.append(batch)
    writer.finish()
    _write_zarr(ActivationStore.open(pair.store), pair.zarr)
    os.sync()
    return pair


def _sparse_batches(n_tokens: int) -> Iterator[Batch]:
    """Only the two features, with 100 k and 500 k activations of 20 million tokens."""
    size = 2**17
    for start in range(0, n_tokens, size):
        rng = np.random.default_rng([1, start])
        n = min(size, n_tokens - start)
        fires = np.column_stack([rng.random(n) < share / 10 for share in PLANTED.values()])
        rows, features = np.nonzero(fires)
        starts = np.arange(start, start + n) % 1024 == 0
        yield Batch(
            token_ids=np.zeros(n, np.uint32),
            indptr=np.concatenate([[0], np.cumsum(fires.sum(1))]),
            features=features,
            values=np.exp(rng.standard_normal(len(rows), np.float32)) + np.float32(0.1),
            starts=starts,
            documents=[{}] * int(starts.sum()),
        )


def _write_zarr(store: ActivationStore, path: Path) -> None:
    """The rows of the two features; all others would be as many files again each."""
    import zarr
    from zarr.codecs import BloscCodec, BloscShuffle

    array = zarr.create_array(
        store=str(path),
        shape=(len(PLANTED), store.n_tokens),
        chunks=(1, min(_CHUNK, store.n_tokens)),
        dtype="float32",
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.shuffle),
    )
    for feature in PLANTED:
        found, row = store.feature(feature), np.zeros(store.n_tokens, np.float32)
        row[found.positions] = found.values
        array[feature, :] = row


def _open_zarr(path: Path) -> Any:
    import zarr

    return zarr.open_array(path, mode="r")


def _ours(store: ActivationStore, feature: int) -> tuple[np.ndarray, np.ndarray]:
    found = store.feature(feature)
    return found.positions.astype(np.int64), widened(found.values)


def _theirs(array: Any, feature: int) -> tuple[np.ndarray, np.ndarray]:
    row = array[feature, :]
    fires = row != 0
    return np.where(fires)[0].astype(np.int64), row[fires].astype(np.float32)


def _require_equal(ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> None:
    """Comparing times means nothing when the results differ."""
    if not all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True)):
        raise RuntimeError("the two layouts disagree")


def _evict(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _seconds(side: Callable[[], Any]) -> float:
    started = time.perf_counter()
    side()
    return time.perf_counter() - started
