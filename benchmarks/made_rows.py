"""A thousand or a million lines of the list of runs, made quickly and the same on any database."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, text

from db.columns import microseconds
from db.models import SEQ_BITS, Base, RunIndex, RunSae, SaeKey, table
from db.records import RunIndexRecord
from db.run_rows import index_values

# Large enough for a page of 50 among the oldest 400 of 1,000 runs, under every filter of run_list.
_STATUSES = {"ok": 0.6, "partial": 0.25, "error": 0.1, "cancelled": 0.05}
_MODELS = {"actiscope-demo": 0.5, "org/model-1b": 0.35, "org/model-7b": 0.15}
_WORDS = ("the", "cat", "sat", "on", "a", "mat", "def", "add", "return", "import", "model", "time")
_STEP = timedelta(seconds=37, microseconds=1)
_OLDEST = datetime(2024, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
_TEMPLATE = 10_000  # runs made in Python; the others are copies with their own ids and times
_MARK = slice(10, 14)  # of a request_id: the number of the copy


def saes_of(model_id: str) -> tuple[str, str]:
    """The model's two SAEs."""
    return f"{model_id}-l1-res", f"{model_id}-l2-res"


@dataclass(frozen=True, slots=True)
class Runs:
    """The stored runs."""

    n: int
    template: list[tuple[datetime, str]]  # (created_at, request_id), oldest first

    def place(self, depth: float) -> tuple[datetime, str]:
        """The run at `depth` of the list: 0 is the newest, 1 the oldest."""
        copy, i = divmod(int((1 - depth) * (self.n - 1)), len(self.template))
        at, request_id = self.template[i]
        return at + copy * self.span, _marked(request_id, copy)

    @property
    def span(self) -> timedelta:
        """Time between a run and its next copy."""
        return len(self.template) * _STEP


def fill(engine: Engine, n: int, seed: int = 0) -> Runs:
    """Store `n` runs, 10,000 or less or a multiple of that, in the order of their times."""
    rng = random.Random(seed)
    records = [_record(rng, _OLDEST + i * _STEP) for i in range(min(n, _TEMPLATE))]
    keys = {sae: 1 + i for i, sae in enumerate(s for m in _MODELS for s in saes_of(m))}
    with engine.execution_options(writes=True).begin() as connection:
        rows = [{"sae_id": sae, "sae_key": key} for sae, key in keys.items()]
        connection.execute(insert(table(SaeKey)), rows)
        connection.execute(insert(table(RunIndex)), [_index_row(r, rng) for r in records])
        connection.execute(insert(table(RunSae)), [s for r in records for s in _saes(r, keys)])
    runs = Runs(n, [(r.created_at, r.request_id) for r in records])
    for copy in range(1, n // len(records)):
        _copy(engine, copy, runs)
    return runs


def _copy(engine: Engine, copy: int, runs: Runs) -> None:
    shift, end = copy * runs.span, runs.template[0][0] + runs.span
    later = shift // timedelta(microseconds=1)
    values: dict[str, Any] = {"mark": _mark(copy), "seq": later << SEQ_BITS}
    is_sqlite = engine.dialect.name == "sqlite"  # where times are microseconds
    values |= {"later": later, "end": microseconds(end)} if is_sqlite else {}
    values = {"later": shift, "end": end} | values
    with engine.execution_options(writes=True).begin() as connection:
        for model in (RunIndex, RunSae):
            connection.execute(text(_copying(model)), values)


def _copying(model: type[Base]) -> str:
    """SQL that copies the template's rows of the table."""
    columns = [column.name for column in table(model).columns]
    changed = {
        "request_id": f"substr(request_id, 1, {_MARK.start}) || :mark"
        f" || substr(request_id, {_MARK.stop + 1})",
        "run_seq": "run_seq + :seq",
        **{name: f"{name} + :later" for name in ("created_at", "updated_at", "heartbeat_at")},
    }
    values = ", ".join(changed.get(name, name) for name in columns)
    name = table(model).name
    return (
        f"INSERT INTO {name} ({', '.join(columns)}) SELECT {values} FROM {name} "
        "WHERE created_at < :end ORDER BY created_at"
    )


def _mark(copy: int) -> str:
    return f"{copy:04x}"


def _marked(request_id: str, copy: int) -> str:
    return request_id[: _MARK.start] + _mark(copy) + request_id[_MARK.stop :]


def _record(rng: random.Random, at: datetime) -> RunIndexRecord:
    model_id = _chosen(rng, _MODELS)
    sae_ids = saes_of(model_id) if rng.random() < 0.6 else ()
    written = rng.randrange(1, 512)
    preview = " ".join(rng.choices(_WORDS, k=rng.randrange(3, 30)))
    return RunIndexRecord(
        request_id=_marked(f"{rng.getrandbits(128):032x}", 0),
        created_at=at,
        updated_at=at + timedelta(seconds=written / 50),
        model_id=model_id,
        status=_chosen(rng, _STATUSES),
        fingerprint=f"{rng.getrandbits(256):064x}",
        prompt_preview=preview,
        prompt_chars=len(preview),
        sae_top_k=20,
        prompt_tokens=len(preview) // 4,
        output_tokens=written,
        activation_rows_count=written * 20 * len(sae_ids),
        unique_features_count=written * len(sae_ids),
        sae_ids=sae_ids,
        sae_layers=(1, 2) if sae_ids else (),
        duration_ms=written * 20,
        finish_reason="length",
        top_features_preview=tuple((sae_ids[0], rng.randrange(16_384)) for _ in sae_ids * 2),
        owner=f"host-a:{rng.randrange(1000, 9999)}",
        heartbeat_at=at,
    )


def _chosen(rng: random.Random, shares: dict[str, float]) -> str:
    return rng.choices(list(shares), shares.values())[0]


def _index_row(record: RunIndexRecord, rng: random.Random) -> dict[str, Any]:
    seq = (microseconds(record.created_at) << SEQ_BITS) + rng.getrandbits(SEQ_BITS)
    return index_values(record, record.prompt_preview) | {"run_seq": seq}


def _saes(record: RunIndexRecord, keys: dict[str, int]) -> Iterator[dict[str, Any]]:
    run = {name: getattr(record, name) for name in ("request_id", "created_at", "model_id")}
    for sae_id in record.sae_ids:
        yield run | {"status": record.status, "sae_key": keys[sae_id]}
