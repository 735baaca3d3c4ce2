"""All activations of one feature over HTTP as an Arrow stream, against pyarrow alone.

The server is the product's own, in a process of its own. The anchors are a process that reads the
same feature from the store and has pyarrow write it to a socket, and reading the same bytes from a
file. Every side ends with a table that is counted and summed. A float16 store is 6 bytes per
activation. The page cache is warm.
"""

from __future__ import annotations

import multiprocessing
import socket
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.result import Result, Samples, interleaved, ratio
from services.store import ActivationStore, Batch, StoreSpec, StoreWriter
from tests.servers import Server

_ID, _FEATURE = "benchmark", 3
_TOKENS = 16_000_000
_ROWS = 2**18  # of a record batch, as the server has it
_SOCKET, _FILE = "pyarrow to a socket", "the same bytes from a file"


def measure(quick: bool) -> list[Result]:
    """A feature that fires at every token, whole and by a least value."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        url = home / "stores" / _ID
        _build(url, 200_000 if quick else _TOKENS)
        with Server(home, ACTISCOPE_PRELOAD="false") as server, _writing(url) as port:
            address = f"{server.url}/api/v1/stores/{_ID}/activations/{_FEATURE}/arrow"
            file = Path(folder) / "stream.arrows"
            with urllib.request.urlopen(address) as answer:
                n_bytes = file.write_bytes(answer.read())
            samples, filtered = _sides(address, port, file, 2 if quick else 9)
    named = [("whole", samples), ("half of it, by min_value", filtered)]
    return [_result(name, found, samples, n_bytes) for name, found in named]


def _sides(address: str, port: int, file: Path, repetitions: int) -> tuple[Samples, Samples]:
    room = file.stat().st_size + 2**16  # for what is between the batches
    sides: dict[str, Callable[[], Any]] = {
        "http": lambda: _table(_fetched(address, room)),
        "filtered": lambda: _table(_fetched(f"{address}?min_value=1.5", room)),
        _SOCKET: lambda: _table(_received(port, room)),
        _FILE: lambda: _table(file.read_bytes()),
    }
    found = {name: side() for name, side in sides.items()}
    half = found.pop("filtered")
    if len(set(found.values())) > 1 or not half < found["http"]:
        raise RuntimeError(f"the sides disagree: {found}, {half}")
    timed = {name: _timed(side) for name, side in sides.items()}
    samples = interleaved(timed, repetitions)
    filtered = {"http": samples.pop("filtered"), _SOCKET: samples[_SOCKET]}
    return samples, filtered


def _result(name: str, samples: Samples, whole: Samples, n_bytes: int) -> Result:
    value, spread = ratio(samples["http"], samples[_SOCKET])
    speed = {side: n_bytes / 1e6 / statistics.median(times) for side, times in whole.items()}
    return Result(
        name=f"Arrow endpoint ÷ pyarrow on a socket: {name}",
        value=value,
        unit="×",
        anchor=f"{_SOCKET}: {speed[_SOCKET]:,.0f} MB/s",
        repetitions=len(samples["http"]),
        spread=spread,
        details={
            "MB of the whole": n_bytes / 1e6,
            "median, ms": 1000 * statistics.median(samples["http"]),
            "MB/s of the store read": n_bytes / 1e6 / statistics.median(samples["http"]),
            f"{_FILE}, MB/s": speed[_FILE],
        },
    )


def _build(url: Path, n_tokens: int) -> None:
    writer, size = StoreWriter.create(str(url), StoreSpec(8)), 2**17
    for start in range(0, n_tokens, size):
        n, rng = min(size, n_tokens - start), np.random.default_rng([2, start])
        starts = np.arange(start, start + n) % 1024 == 0
        writer.append(
            Batch(
                token_ids=np.zeros(n, np.uint32),
                indptr=np.arange(n + 1),
                features=np.full(n, _FEATURE),
                values=rng.random(n, np.float32) + 1,
                starts=starts,
                documents=[{}] * int(starts.sum()),
            )
        )
    writer.finish()


@contextmanager
def _writing(url: Path) -> Iterator[int]:
    """The port at which another process sends the feature to whoever connects."""
    listening = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.get_context("fork").Process(
        target=_send, args=(listening, url), daemon=True
    )
    process.start()
    try:
        yield listening.getsockname()[1]
    finally:
        process.kill()
        listening.close()


def _send(listening: socket.socket, url: Path) -> None:
    store = ActivationStore.open(url)
    while True:
        connection, _ = listening.accept()
        found = store.feature(_FEATURE)
        table = pa.table({"position": found.positions, "value": found.values})
        with (
            connection,
            connection.makefile("wb") as sink,
            pa.ipc.new_stream(sink, table.schema) as writer,
        ):
            writer.write_table(table, max_chunksize=_ROWS)


def _received(port: int, n_bytes: int) -> memoryview:
    connection = socket.create_connection(("127.0.0.1", port))
    with connection, connection.makefile("rb", buffering=0) as source:
        return _filled(source, n_bytes)


def _fetched(address: str, n_bytes: int) -> memoryview:
    with urllib.request.urlopen(address) as answer:
        return _filled(answer, n_bytes)


def _filled(source: Any, n_bytes: int) -> memoryview:
    """All of it, in one buffer: both sides receive alike."""
    buffer, at = memoryview(bytearray(n_bytes)), 0
    while n := source.readinto(buffer[at:]):
        at += n
    return buffer[:at]


def _table(content: memoryview | bytes) -> tuple[int, int]:
    table = pa.ipc.open_stream(content).read_all()
    return table.num_rows, pc.sum(table.column("position")).as_py()


def _timed(side: Callable[[], Any]) -> Callable[[], float]:
    def seconds() -> float:
        started = time.perf_counter()
        side()
        return time.perf_counter() - started

    return seconds
