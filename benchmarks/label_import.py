"""Importing 100,000 labels as Neuronpedia's explanations, on both databases.

The anchor is what a script would do that keeps no history and checks nothing: the same labels put
into the same tables by the driver alone, executemany on SQLite and COPY on PostgreSQL. The details
say how long the labels of 131,072 features take to be read, and how long after one change.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import update

from benchmarks.databases import KINDS, databases
from benchmarks.result import Result, Skipped, quartiles
from db.models import SaeRow, table
from services.container import Container
from services.labels.requests import BulkEdit
from services.labels.service import Labels
from services.settings import Settings

_SAE, _D_SAE = "demo-l1-res", 131_072
_GOAL_S = 30
_COLUMNS = ("feature_key", "external_sae_id", "neuron_index", "is_starred", "revision")
_LABEL = (
    "label_id", "feature_key", "text", "notes", "source", "source_name", "author", "created_at",
    "updated_at",
)  # fmt: skip


def measure(quick: bool) -> list[Result]:
    """Seconds, on SQLite, and on PostgreSQL where it is installed."""
    n, repetitions = (5_000, 1) if quick else (100_000, 3)
    results: list[Result] = []
    for kind in KINDS:
        try:
            with databases(kind) as new_database:
                rounds = [_round(new_database(), n) for _ in range(repetitions)]
        except Skipped as reason:
            print(f"label_import: only {', '.join(KINDS[: len(results)])}: {reason}")
            continue
        results.append(_result(kind, n, rounds))
    return results


def _result(kind: str, n: int, rounds: list[dict[str, float]]) -> Result:
    found = {name: [round[name] for round in rounds] for name in rounds[0]}
    anchor = statistics.median(found.pop("anchor"))
    ours = found.pop("import")
    return Result(
        name=f"labels: {n:,} explanations imported, {kind}",
        value=statistics.median(ours),
        unit="s",
        anchor=f"the rows alone, by the driver: {anchor:.2f} s",
        repetitions=len(rounds),
        spread=quartiles(ours),
        goal=_GOAL_S,
        details={name: round(statistics.median(times), 4) for name, times in found.items()},
    )


def _round(url: str, n: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), database_url=url, preload=False)
        container = Container(settings)
        try:
            labels = _prepared(container)
            anchor = _seconds(lambda: _rows_alone(container, n))
            content = _explanations(n)
            imported = _seconds(lambda: labels.import_(content, _SAE))
            return {"import": imported, "anchor": anchor} | _others(labels)
        finally:
            container.close()


def _prepared(container: Container) -> Labels:
    """The labels of an SAE that has as many features as large ones have."""
    container.labels.status(_SAE)
    saes = table(SaeRow)
    with container.base.database.write() as session:
        session.execute(update(saes).where(saes.c.sae_id == _SAE).values(d_sae=_D_SAE))
    return container.labels


def _others(labels: Labels) -> dict[str, float]:
    features = tuple(range(_D_SAE))
    labels.bulk(BulkEdit(sae_id=_SAE, feature_ids=features, add="one more"))
    labels._snapshots._kept.clear()
    loaded = _seconds(lambda: labels.snapshot(_SAE))
    labels.star(_SAE, 7, True)
    refreshed = _seconds(lambda: labels.snapshot(_SAE))
    return {
        "snapshot of 131,072, s": loaded,
        "after one change, s": refreshed,
        "when nothing changed, s": _seconds(lambda: labels.snapshot(_SAE)),
    }


def _explanations(n: int) -> bytes:
    lines = (
        json.dumps(
            {
                "modelId": "gpt2-small",
                "layer": "8-res-jb",
                "index": str(i),
                "description": f"words about topic {i} and what follows them",
                "explanationModelName": "gpt-4o-mini",
                "typeName": "oai_token-act-pair",
            }
        )
        for i in range(n)
    )
    return "\n".join(lines).encode()


def _rows_alone(container: Container, n: int) -> None:
    """The same labels of another SAE, written and thrown away again."""
    sae_id = "demo-l2-res"
    with container.base.database.write() as session:
        driver: Any = session.connection().connection.driver_connection
        is_postgres = session.get_bind().dialect.name == "postgresql"
        at: Any = "2026-01-01T00:00:00Z" if is_postgres else 1_767_225_600_000_000
        keys = [f"feat_sae_{sae_id}_{i}" for i in range(n)]
        features = [(key, sae_id, i, False, 0) for i, key in enumerate(keys)]
        labels = [
            (key, key, f"words about topic {i}", "", "automatic", "gpt-4o-mini", "me", at, at)
            for i, key in enumerate(keys)
        ]
        put = _copied if is_postgres else _executed
        put(driver, "features", _COLUMNS, features)
        put(driver, "labels", _LABEL, labels)
        session.rollback()


def _copied(driver: Any, target: str, names: tuple[str, ...], rows: list[Any]) -> None:
    with driver.cursor().copy(f"COPY {target} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _executed(driver: Any, target: str, names: tuple[str, ...], rows: list[Any]) -> None:
    marks = ", ".join("?" for _ in names)
    driver.executemany(f"INSERT INTO {target} ({', '.join(names)}) VALUES ({marks})", rows)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
