"""Runs to store, and the repository with each call in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Engine, event

from db.records import (
    FiredFeatures,
    RunIndexRecord,
    RunOutcome,
    RunPreviewRecord,
    RunText,
    TimelineRecord,
    TokenTable,
)
from db.runs import RunRepository
from db.unit_of_work import UnitOfWork

NOW = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
_READS = {"get", "fingerprint", "page", "active_owners"}


class Runs:
    """`Runs(uow).claim(…)` is `RunRepository.claim` in its own transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            transaction = self._uow.read if name in _READS else self._uow.write
            with transaction() as session:
                return getattr(RunRepository(session), name)(*args, **kwargs)

        return call


def index_record(request_id: str = "run-1", **changes: Any) -> RunIndexRecord:
    record = RunIndexRecord(
        request_id=request_id,
        created_at=NOW,
        updated_at=NOW,
        model_id="demo",
        status="queued",
        fingerprint="f" * 64,
        prompt_preview="The cat",
        prompt_chars=7,
        sae_top_k=20,
        sae_ids=("sae-a", "sae-b"),
        sae_layers=(1, 2),
    )
    return replace(record, **changes)


def preview_record(prompt: str = "The cat", **changes: Any) -> RunPreviewRecord:
    return replace(RunPreviewRecord(prompt=prompt, request={"prompt": prompt}), **changes)


def tokens(*texts: str) -> TokenTable:
    n = len(texts)
    logprobs = -np.arange(n, dtype=np.float32) / 7
    logprobs[:1] = np.nan
    return TokenTable(texts, np.arange(n) % 3 == 0, logprobs)


def timeline(sae_id: str, rng: np.random.Generator, n: int = 6, m: int = 4) -> TimelineRecord:
    """A random timeline with rows of different length."""
    ids = np.stack([rng.choice(2000, m, replace=False) for _ in range(n)]).astype(np.int32)
    values = rng.normal(0, 3, (n, m)).astype(np.float32)
    unused = np.arange(m) >= rng.integers(0, m + 1, n)[:, None]
    ids[unused], values[unused] = -1, 0
    l0 = rng.integers(0, 100, n).astype(np.int32)
    return TimelineRecord(
        sae_id=sae_id,
        hook_name="model.layers.1",
        layer=1,
        top_k=m,
        feature_ids=ids,
        activations=values,
        l0=l0,
    )


def fired(sae_id: str, features: dict[int, float]) -> FiredFeatures:
    """Features with their maxima, one hit each."""
    ids = sorted(features)
    return FiredFeatures(
        sae_id,
        np.array(ids, np.int32),
        np.array([features[i] for i in ids], np.float32),
        np.ones(len(ids), np.uint32),
    )


def outcome(status: str = "ok", **changes: Any) -> RunOutcome:
    rng = np.random.default_rng(0)
    text = RunText(
        rendered_prompt="<s>The cat",
        prompt_token_ids=[1, 2, 3],
        output_text=" sat",
        output_token_ids=[4],
        tokens=tokens("<s>", "The", " cat", " sat"),
    )
    result = RunOutcome(
        status=status,
        text=text,
        finish_reason="stop",
        duration_ms=12,
        activation_rows_count=24,
        unique_features_count=9,
        top_features_preview=(("sae-a", 7), ("sae-b", 300)),
        provenance={"dtype": "float32", "seed": 2**53 - 1},
        timelines=(timeline("sae-a", rng), timeline("sae-b", rng)),
        fired=(fired("sae-a", {7: 1.5, 300: 2.5}), fired("sae-b", {300: 0.5})),
    )
    return replace(result, **changes)


def store(
    runs: Runs, request_id: str, result: RunOutcome | None = None, prompt: str = "", **changes: Any
) -> RunIndexRecord:
    """Store a run, and finish it with `result` when one is given."""
    record = index_record(request_id, **changes)
    runs.insert(record, preview_record(prompt))
    if result is not None:
        assert runs.claim(request_id, "me", NOW)
        assert runs.finish(request_id, "me", result, NOW)
    return runs.get(request_id).index


def assert_same_timelines(
    stored: Sequence[TimelineRecord], given: Sequence[TimelineRecord]
) -> None:
    """Equal to the last bit."""
    assert len(stored) == len(given)
    for a, b in zip(stored, given, strict=True):
        assert (a.sae_id, a.hook_name, a.layer, a.top_k, a.error) == (
            *(b.sae_id, b.hook_name, b.layer, b.top_k),
            b.error,
        )
        for name in ("feature_ids", "activations", "l0"):
            x, y = getattr(a, name), getattr(b, name)
            assert x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes(), name


def last_statement(engine: Engine, action: Callable[[], object]) -> tuple[str, Any]:
    """The last statement of `action`, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def keep(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    action()
    event.remove(engine, "before_cursor_execute", keep)
    return seen[-1]
