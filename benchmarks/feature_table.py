"""The table of 131,072 features with as many labels: each kind of query, on both databases.

Pages of 100 lines are asked of `container.features.page`, as the screen and REST do. The anchor is
the same selection from one polars table in memory that has all columns already, those that are
searched without case: it has no labels to look after, no cursor and no values to make. Both sides
take turns, and the counts of what passes must agree.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.databases import KINDS, databases
from benchmarks.result import Result, Skipped, interleaved, percentile, quartiles
from services.container import Container
from services.features.requests import SEARCH_FIELDS, FeatureTableQuery
from services.settings import Settings
from tests import made_features as made

_LIMIT, _GOAL_MS = 100, 200
_QUERIES: Mapping[str, Mapping[str, Any]] = {
    "first page": {},
    "sorted by a number": {"sort": "max", "descending": True},
    "sorted by label": {"sort": "label"},
    "ranges of two columns": {"range": "token_density:0.0001..0.01,mean:1..", "sort": "mean"},
    "by label, category and star": {"category": "topic", "starred": True, "sort": "n"},
    "a word in all texts": {"text": "abc"},
    "two frequent words, sorted": {"text": "ab cd", "sort": "mean", "descending": True},
    "a page from the middle": {"sort": "token_density", "offset": 65_000},
    "neighbours of a feature": {"neighbour_of": 7, "sort": "cosine", "descending": True},
    "sorted by label, after a label": {"sort": "label"},  # one is written before each page
}
_CHANGING = "sorted by label, after a label"


@dataclass(frozen=True)
class _Sides:
    """The table, and the same in polars."""

    container: Container
    frame: pl.DataFrame

    def page(self, asked: Mapping[str, Any]) -> int:
        """How many pass."""
        given = {"sae_id": made.SAE, "store_id": made.STORE, "limit": _LIMIT, **asked}
        return self.container.features.page(FeatureTableQuery.parse(given)).total

    def plain(self, asked: Mapping[str, Any]) -> int:
        """The same from the frame."""
        found = self.frame
        if "neighbour_of" in asked:
            near = found.select("neighbour", "cosine").row(asked["neighbour_of"])
            made_of = {"feature": near[0], "cosine": near[1]}
            other = pl.DataFrame(made_of, schema_overrides={"feature": pl.UInt32})
            found = found.drop("cosine").join(other.unique("feature"), on="feature")
        found = found.filter([pl.lit(value=True), *_conditions(asked)])
        column = "lower_label" if asked.get("sort") == "label" else asked.get("sort", "feature")
        down = asked.get("descending", False)
        ordered = found.sort(
            [column, "feature"], descending=[down, False], nulls_last=True, maintain_order=False
        )
        ordered.slice(asked.get("offset", 0), _LIMIT).to_dicts()
        return len(ordered)


def _conditions(asked: Mapping[str, Any]) -> list[pl.Expr]:
    found = []
    for piece in asked.get("range", "").split(",") if "range" in asked else ():
        name, _, bounds = piece.partition(":")
        low, _, high = bounds.partition("..")
        found.append(pl.col(name) >= float(low))
        if high:
            found.append(pl.col(name) <= float(high))
    if "category" in asked:
        found += [pl.col("category") == asked["category"], pl.col("starred")]
    for word in asked.get("text", "").split():
        columns = (pl.col(f"lower_{name}") for name in SEARCH_FIELDS)
        hits = [
            column.str.contains(word, literal=True).fill_null(value=False) for column in columns
        ]
        found.append(pl.any_horizontal(hits))
    return found


def measure(quick: bool) -> list[Result]:
    """P95 by kind of query, for SQLite, and for PostgreSQL where it is installed."""
    n, tokens, rounds = (2_000, 10_000, 3) if quick else (2**17, 100_000, 30)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        made.make_home(home, n, tokens)
        decoder = made.make_decoder(home, n)
        said = made.said(n, labelled=1)
        for kind in KINDS:
            try:
                with databases(kind) as new_database:
                    url = new_database()
                    container = Container(Settings(home=home, database_url=url, preload=False))
                    made.say(container, url, said)
                    sides = _Sides(container, _frame(home, decoder, said))
                    results += _measure(kind, sides, n, rounds)
                    container.close()
            except Skipped as reason:
                print(f"feature_table: only {KINDS[0]}: {reason}")
    return results


def _measure(kind: str, sides: _Sides, n: int, rounds: int) -> list[Result]:
    started = time.perf_counter()
    sides.page({})
    first_s = time.perf_counter() - started
    results = []
    for name, asked in _QUERIES.items():
        if (ours := sides.page(asked)) != (theirs := sides.plain(asked)):
            raise RuntimeError(f"{name}: {ours} features pass, in polars {theirs}")
        before = _label(sides.container) if name == _CHANGING else None
        processor: list[float] = []
        both = {
            "ours": _timed(lambda asked=asked: sides.page(asked), before, processor),
            "polars": _timed(lambda asked=asked: sides.plain(asked)),
        }
        found = {**interleaved(both, rounds), "processor": processor}
        results.append(_result(f"{kind}: {name}", ours, n, found, first_s))
    return results


def _result(
    name: str, total: int, n: int, found: Mapping[str, list[float]], first_s: float
) -> Result:
    ours, polars = found["ours"], found["polars"]
    return Result(
        name=f"table of {n:,} features, {name}, P95",
        value=percentile(ours, 95),
        unit="ms",
        anchor="the same from one polars table in memory",
        repetitions=len(ours),
        spread=quartiles(ours),
        goal=_GOAL_MS,
        details={
            "median, ms": statistics.median(ours),
            "processor time: P95, ms": percentile(found["processor"], 95),
            "polars: P95, ms": percentile(polars, 95),
            "polars: median, ms": statistics.median(polars),
            "features that pass": total,
            "first query of the process, s": first_s,
        },
    )


def _timed(
    work: Callable[[], object],
    before: Callable[[], object] | None = None,
    processor: list[float] | None = None,
) -> Callable[[], float]:
    """Milliseconds by the clock; those of this thread's processor are added to `processor`."""

    def timed() -> float:
        if before is not None:
            before()
        started, computed = time.perf_counter(), time.thread_time()
        work()
        elapsed = time.perf_counter() - started
        if processor is not None:
            processor.append(1000 * (time.thread_time() - computed))
        return 1000 * elapsed

    return timed


def _label(container: Container) -> Callable[[], object]:
    """Writes another label each time."""
    from services.labels.requests import EditLabel

    label = container.labels.feature(made.SAE, 11).labels[0]
    numbers = iter(range(10_000))
    return lambda: container.labels.edit(
        EditLabel(label_id=label.label_id, text=f"changed {next(numbers)}")
    )


def _frame(home: Path, decoder: Any, said: Mapping[int, made.Said]) -> pl.DataFrame:
    """Everything that is asked for, in one table."""
    (path,) = (home / "stores" / made.STORE).glob("features/*/features.parquet")
    numbers = ["feature", "n", "token_density", "mean", "max"]
    texts = next((home / "derived" / "features").glob("*/*[0-9].parquet"), None)
    if texts is None:
        texts = _made_texts(home)
    frame = pl.read_parquet(path, columns=numbers).with_columns(
        label=pl.Series([said[i].text for i in range(len(said))]),
        notes=pl.Series([said[i].notes or None for i in range(len(said))]),
        category=pl.Series([said[i].category for i in range(len(said))]),
        starred=pl.Series([said[i].starred for i in range(len(said))]),
        neighbour=pl.from_arrow(decoder.column("neighbour")),
        cosine=pl.from_arrow(decoder.column("neighbour_cosine")),
        promoted=pl.from_arrow(decoder.column("top_text")),
    )
    read = pl.read_parquet(texts).select(top_tokens="top_text", example="example")
    joined = frame.hstack(read)
    lists = [pl.col(name).list.join("\0") for name in ("top_tokens", "example", "promoted")]
    plain = [pl.col("label"), pl.col("notes"), *lists]
    return joined.with_columns(
        [
            column.str.to_lowercase().alias(f"lower_{name}")
            for name, column in zip(SEARCH_FIELDS, plain, strict=True)
        ]
    )


def _made_texts(home: Path) -> Path:
    from services.features.texts import FeatureTexts
    from services.stores.reading import Reading

    FeatureTexts(home).make(Reading.open(made.STORE, str(home / "stores" / made.STORE)))
    return next((home / "derived" / "features").glob("*/*[0-9].parquet"))
