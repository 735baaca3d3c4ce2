"""Latency of a page of runs among a thousand and among a million, on both databases.

Pages are asked as the screen and REST do, through `RunStore.page`: the first one, and ones from
anywhere in the list, without a filter and with each. The filters pass so many runs that every page
is full in both databases: what is compared is the same work.
"""

from __future__ import annotations

import random
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.databases import KINDS, NewDatabase, databases, vacuum
from benchmarks.made_rows import Runs, fill, saes_of
from benchmarks.result import Result, Skipped, percentile, quartiles
from db.engine import make_engine
from services.database import Database, open_database
from services.runs.queries import RunQuery
from services.runs.store import RunStore

_SMALL = 1_000
_LIMIT = 50
_GOAL = 1.5
_DEEPEST = 0.6  # of the list; what is left fills a page under every filter
_PAGES = ("first page", "page from the middle")

_DEMO = "actiscope-demo"
_FILTERS: Mapping[str, Mapping[str, Any]] = {
    "no filter": {},
    "status": {"status": "partial"},
    "model": {"model_id": _DEMO},
    "model and status": {"model_id": _DEMO, "status": "ok"},
    "SAE": {"sae_id": saes_of(_DEMO)[0]},
    "SAE and status": {"sae_id": saes_of(_DEMO)[0], "status": "ok"},
    "with SAEs": {"sae_enabled": True},
}


@dataclass(frozen=True, slots=True)
class _Size:
    """A database with so many runs, and the milliseconds that its pages took."""

    runs: Runs
    database: Database
    store: RunStore
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by query

    @property
    def all_times(self) -> list[float]:
        return [t for times in self.times.values() for t in times]


def measure(quick: bool) -> list[Result]:
    """The ratio of the 95th percentiles, for SQLite, and for PostgreSQL where it is installed."""
    large, rounds = (20_000, 10) if quick else (1_000_000, 100)
    results = []
    for kind in KINDS:
        try:
            with databases(kind) as new_database:
                results.append(_measure_kind(kind, new_database, large, rounds))
        except Skipped as reason:
            print(f"run_list: only {', '.join(KINDS[: len(results)])}: {reason}")
    return results


def _measure_kind(kind: str, new_database: NewDatabase, large: int, rounds: int) -> Result:
    small_size, large_size = (_filled(new_database(), n) for n in (_SMALL, large))
    try:
        _ask_all(small_size, large_size, rounds)
    finally:
        small_size.database.close()
        large_size.database.close()
    slow, fast = (percentile(s.all_times, 95) for s in (large_size, small_size))
    by_round = [_p95(large_size, i) / _p95(small_size, i) for i in range(rounds)]
    return Result(
        name=f"list of {large:,} runs ÷ list of {_SMALL:,}: {kind}, P95",
        value=slow / fast,
        unit="×",
        anchor=f"the same pages among {_SMALL:,} runs",
        repetitions=len(large_size.all_times),
        spread=quartiles(by_round),
        goal=_GOAL,
        details={
            f"P95 among {large:,}, ms": slow,
            f"P95 among {_SMALL:,}, ms": fast,
            **{query: _compared(query, small_size, large_size) for query in small_size.times},
        },
    )


def _filled(url: str, n: int) -> _Size:
    open_database(url).close()  # makes the tables
    engine = make_engine(url)
    runs = fill(engine, n)
    vacuum(engine)
    database = Database(engine)
    return _Size(runs, database, RunStore(database))


def _ask_all(small: _Size, large: _Size, rounds: int) -> None:
    """Each query of each round on both databases, in alternating order."""
    rng = random.Random(1)
    for number in range(-2, rounds):  # two rounds to warm up
        for name in _FILTERS:
            for page in _PAGES:
                depth = 0.0 if page == _PAGES[0] else rng.uniform(0, _DEEPEST)
                for size in (small, large) if number % 2 else (large, small):
                    milliseconds = _ask(size, name, depth)
                    if number >= 0:
                        size.times[f"{name}, {page}"].append(milliseconds)


def _ask(size: _Size, name: str, depth: float) -> float:
    at, request_id = size.runs.place(depth)
    cursor = f"{at.isoformat()}|{request_id}" if depth else None
    query = RunQuery.parse({"limit": _LIMIT, "cursor": cursor, **_FILTERS[name]})
    started = time.perf_counter()
    page = size.store.page(query)
    elapsed = time.perf_counter() - started
    if len(page.items) != _LIMIT:
        raise RuntimeError(f"{name} at {depth:.2f} of {size.runs.n}: {len(page.items)} runs")
    return 1000 * elapsed


def _p95(size: _Size, number: int) -> float:
    return percentile([times[number] for times in size.times.values()], 95)


def _compared(query: str, small: _Size, large: _Size) -> dict[str, float]:
    few, many = small.times[query], large.times[query]
    return {
        "median among few, ms": statistics.median(few),
        "median among many, ms": statistics.median(many),
        "ratio of medians": statistics.median(many) / statistics.median(few),
        "ratio of P95": percentile(many, 95) / percentile(few, 95),
    }
