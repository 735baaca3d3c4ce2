"""What the page of a feature asks of the server, on a store of 10⁷ activations.

One page is its statistics with regions and warnings, the interval grid (40 examples with TF-IDF),
20 examples, logit weights, and the 20 nearest directions with how often both fire. Warm: everything
has been asked before, of other features too. Cold: a new container, and the store, the decoder's
table and the derived texts out of the page cache; opening the database is not counted.

The anchors, in the same rounds: reading the same feature's activations with plain pyarrow from the
store's own file, which is the least that any page could do; and finding them by a scan of the
parts, which is what a page does that has no feature-major side.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.made_activations import D_SAE, PLANTED, batches
from benchmarks.result import Result, Samples, interleaved, percentile, quartiles
from services.container import Container
from services.evidence.requests import ExamplesQuery, IntervalsQuery, RelatedQuery, ViewQuery
from services.settings import Settings
from services.store import ActivationStore, StoreSpec, StoreWriter
from services.stores.vocabulary import SCHEMA, VOCABULARY

_SAE, _STORE = "made", "made"
_WARM_MS, _COLD_MS = 150, 400
_TYPICAL = 6  # features beside the two dense ones


def measure(quick: bool) -> list[Result]:
    """The page of rare, of typical and of dense features."""
    n_tokens, repetitions = (10_000, 2) if quick else (310_000, 7)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = Settings(home=home, database_url=f"sqlite:///{home / 'a.sqlite'}", preload=False)
        _furnish(settings, n_tokens)
        features = _chosen(ActivationStore.open(home / "stores" / _STORE))
        warm = _warm(settings, features, repetitions)
        cold = _cold(settings, features, repetitions)
        anchors = _anchors(home / "stores" / _STORE, features, repetitions)
    results = []
    for kind, samples, goal in (("warm", warm, _WARM_MS), ("cold", cold, _COLD_MS)):
        for feature, n in features.items():
            results.append(_result(kind, n, samples[str(feature)], anchors[feature], goal))
    return results


def _furnish(settings: Settings, n_tokens: int) -> None:
    """SAE, store, vocabulary, decoder table and derived texts, as an extraction leaves them."""
    from tests.made_models import make_sae

    home, store = settings.home, settings.home / "stores" / _STORE
    make_sae(home, _SAE, model_id="actiscope-demo", d_in=256, d_sae=D_SAE, layer=1)
    spec = StoreSpec(D_SAE, sae_id=_SAE, metadata={"source": "string"})
    writer = StoreWriter.create(str(store), spec)
    for batch in batches(n_tokens):
        writer.append(batch)
    writer.finish()
    ids = np.arange(50_000)
    columns = [
        ids,
        [f" word{i}" for i in ids],
        [f" word{i}".encode() for i in ids],
        np.zeros(len(ids), bool),
    ]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), store / VOCABULARY)
    with _opened(settings) as container:
        residents = container.base.residents
        sae = residents.sae(_SAE)
        container.decoders.make(residents.model(sae.info.model_id), sae)
        container.stores.read(_STORE, container.feature_texts.make)


@contextmanager
def _opened(settings: Settings) -> Iterator[Container]:
    container = Container(settings)
    try:
        yield container
    finally:
        container.close()


def _chosen(store: ActivationStore) -> dict[int, int]:
    """Features with their activations: from rare to dense."""
    counts = store.counts()
    live = np.flatnonzero(counts)
    live = live[~np.isin(live, list(PLANTED))]
    ordered = live[np.argsort(counts[live], kind="stable")]
    some = ordered[np.linspace(0, len(ordered) - 1, _TYPICAL).astype(int)]
    return {int(f): int(counts[f]) for f in (*some, *PLANTED)}


def _page(container: Container, feature: int) -> None:
    of: dict[str, Any] = {"sae_id": _SAE, "feature_id": feature, "store_id": _STORE}
    evidence = container.evidence
    evidence.view(ViewQuery(**of))
    evidence.intervals(IntervalsQuery(**of))
    evidence.examples(ExamplesQuery(**of))
    evidence.decoder(_SAE, feature)
    evidence.related(RelatedQuery(**of))


def _warm(settings: Settings, features: dict[int, int], repetitions: int) -> Samples:
    with _opened(settings) as container:
        for feature in features:
            _page(container, feature)
        sides = {str(f): _timed(partial(_page, container, f)) for f in features}
        return interleaved(sides, repetitions)


def _cold(settings: Settings, features: dict[int, int], repetitions: int) -> Samples:
    def seconds(feature: int) -> float:
        gc.collect()  # a file that is mapped cannot be evicted
        _evict(settings.home)
        with _opened(settings) as container:
            container.base.index.known()
            return _timed(partial(_page, container, feature))()

    return interleaved({str(f): partial(seconds, f) for f in features}, repetitions)


def _anchors(url: Path, features: dict[int, int], repetitions: int) -> dict[int, dict[str, float]]:
    """Milliseconds of plain pyarrow and of the scan, for each feature."""
    store = ActivationStore.open(url)
    found = {}
    for feature, n in features.items():
        sides = {
            "pyarrow": _timed(partial(_check, _by_pyarrow, url, feature, n)),
            "scan": _timed(partial(_check, _by_scan, store, feature, n)),
        }
        samples = interleaved(sides, min(repetitions, 3))
        found[feature] = {name: 1000 * statistics.median(v) for name, v in samples.items()}
    return found


def _by_pyarrow(url: Path, feature: int) -> int:
    """Positions and values of one feature from the feature-major file."""
    for path in sorted(url.glob("features/*/0*-*.arrow")):
        with pa.memory_map(str(path)) as file:
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                rows = batch.column("feature").to_numpy()
                if rows[0] <= feature <= rows[-1]:
                    row = int(np.searchsorted(rows, feature))
                    positions = np.array(batch.column("position")[row].values)
                    np.array(batch.column("value")[row].values)
                    return len(positions)
    return 0


def _by_scan(store: ActivationStore, feature: int) -> int:
    n, size = 0, 2**16
    for start in range(0, store.n_tokens, size):
        rows = store.tokens(start, min(start + size, store.n_tokens))
        n += len(rows.values[rows.features == feature])
    return n


def _check(side: Callable[[Any, int], int], source: Any, feature: int, n: int) -> None:
    if (found := side(source, feature)) != n:
        raise RuntimeError(f"an anchor found {found} activations, not {n}")


def _result(
    kind: str, n: int, seconds: list[float], anchors: dict[str, float], goal: float
) -> Result:
    milliseconds = [1000 * s for s in seconds]
    value = statistics.median(milliseconds)
    return Result(
        name=f"page of a feature with {n:,} activations, {kind}",
        value=value,
        unit="ms",
        anchor=f"its activations by plain pyarrow: {anchors['pyarrow']:.1f} ms",
        repetitions=len(seconds),
        spread=quartiles(milliseconds),
        goal=goal,
        details={
            "P95, ms": percentile(milliseconds, 95),
            "scan of the parts, ms": anchors["scan"],
            "times faster than the scan": anchors["scan"] / value,
        },
    )


def _evict(folder: Path) -> None:
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _timed(side: Callable[[], Any]) -> Callable[[], float]:
    def seconds() -> float:
        started = time.perf_counter()
        side()
        return time.perf_counter() - started

    return seconds
