"""Bytes that a stored run takes, tables and indexes together, on both databases.

The anchor is the run's feature timelines alone, as the JSON that the REST contract speaks.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from benchmarks.databases import KINDS, NewDatabase, databases, opened, stored_bytes, vacuum
from benchmarks.made_runs import Shape, store_run
from benchmarks.result import Result, Skipped, quartiles
from services.container import Container
from services.database import open_database
from services.runs.payloads import timeline_document
from services.runs.request import RunRequest
from services.runs.store import RunStore
from services.settings import Settings
from services.types import RunView

_MADE = Shape(positions=500, top_k=20)
_TOKENS = 128
_TIMEOUT_S = 120

RunOnce = Callable[[int], RunView]  # stores one run more, made with this seed
Case = Callable[[str], AbstractContextManager[RunOnce]]  # of a database URL


def measure(quick: bool) -> list[Result]:
    """Runs of the demo with its two SAEs, and longer made ones."""
    batches, size = (2, 5) if quick else (4, 10)
    cases = {
        f"demo run of at most {_TOKENS} tokens × 2 SAEs": _demo,
        f"made run of {_MADE.positions} positions × top {_MADE.top_k}": _made,
    }
    results = []
    for kind in KINDS:
        try:
            with databases(kind) as new_database:
                for name, case in cases.items():
                    found = _measure_case(f"{name}: {kind}", case, new_database, batches, size)
                    results.append(found)
        except Skipped as reason:
            print(f"storage: {reason}")
    return results


@contextmanager
def _demo(url: str) -> Iterator[RunOnce]:
    """Whole runs of the product, checkpoints included."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), database_url=url, preload=False)
        with closing(Container(settings)) as container:

            def run(seed: int) -> RunView:
                request = RunRequest(
                    prompt="def add(a, b):",
                    chat_template="off",
                    max_tokens=_TOKENS,
                    seed=seed,
                )
                started = container.runs.start(request)
                container.runs.wait(started.request_id, _TIMEOUT_S)
                return container.runs.view(started.request_id)

            yield run


@contextmanager
def _made(url: str) -> Iterator[RunOnce]:
    with closing(open_database(url)) as database:
        store = RunStore(database)
        yield lambda seed: store.view(store_run(store, _MADE, seed))


def _measure_case(
    name: str, case: Case, new_database: NewDatabase, batches: int, size: int
) -> Result:
    """Growth per run over several batches, after a first one that reaches the steady state."""
    url = new_database()
    growth: list[float] = []
    with case(url) as run_once, opened(url) as engine:
        views = [run_once(seed) for seed in range(size)]
        before = _weigh(engine)
        for batch in range(1, batches + 1):
            views = [run_once(batch * size + i) for i in range(size)]
            after = _weigh(engine)
            growth.append((after - before) / size)
            before = after
    value, as_json = statistics.mean(growth), statistics.mean(map(_json_bytes, views))
    positions = statistics.mean(len(view.tokens) for view in views)
    return Result(
        name=f"bytes stored per {name}",
        value=value,
        unit="bytes",
        anchor=f"its timelines alone as JSON: {as_json:,.0f} bytes",
        repetitions=batches * size,
        spread=quartiles(growth),
        details={
            "ratio to the anchor": value / as_json,
            "positions per run": positions,
            "bytes per position": value / positions,
        },
    )


def _weigh(engine: Engine) -> int:
    vacuum(engine)
    return stored_bytes(engine)


def _json_bytes(view: RunView) -> int:
    documents = [timeline_document(timeline, view.tokens) for timeline in view.timelines]
    return len(json.dumps(documents, separators=(",", ":")).encode())
