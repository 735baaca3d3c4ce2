"""Made values for the tests of what is shown of extractions and stores."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from services.types import (
    ExtractionEstimate,
    ExtractionLive,
    ExtractionView,
    JobPhase,
    JobStatus,
)
from services.types.stores import StoreContext, StoreExample, StoreFeature, StoreHistogram

WHEN = datetime(2026, 11, 21, 12, 5, tzinfo=UTC)
EMPTY = StoreHistogram((), ())


def make_extraction_live(n: int = 500_000) -> ExtractionLive:
    """What is known after `n` tokens."""
    random = np.random.default_rng(5)
    l0, l0_edges = np.histogram(random.normal(36, 7, 1000), 30)
    density, density_edges = np.histogram(random.normal(-2.2, 0.7, 1475), np.arange(-6, 0.01, 0.25))
    seconds = (1.0, 2.0, 4.0)
    return ExtractionLive(
        n, int(n * 0.98), n // 220, n * 36, 36.7,
        tuple(l0_edges), tuple(map(int, l0)), tuple(density_edges), tuple(map(int, density)),
        61, 41.25, seconds, (n // 4, n // 2, n),
    )  # fmt: skip


def make_extraction(status: JobStatus = JobStatus.RUNNING, **values: object) -> ExtractionView:
    """An extraction half done, or ended; `values` replace single fields."""
    runs, done = status is JobStatus.RUNNING, status is JobStatus.SUCCEEDED
    failed = status is JobStatus.FAILED
    fields: dict[str, object] = {
        "extraction_id": "ext_sae_demo-l1-res_20261121T120501123",
        "job_id": None,
        "source_type": "sae",
        "sae_id": "demo-l1-res",
        "model_id": "actiscope-demo",
        "hook_name": "blocks.1.hook_resid_post",
        "layer": 1,
        "d_sae": 1536,
        "corpus_id": "demo",
        "corpus_name": "Demo corpus",
        "config": {"packing": {"policy": "sliding", "bos": True}, "skip": ["bos"], "seed": None},
        "status": status,
        "phase": "extracting" if runs else "",
        "done": 500_000 if runs else 0,
        "total": 1_000_000 if runs else None,
        "unit": "tokens",
        "per_s": 14_321.0 if runs else None,
        "eta_s": 35.0 if runs else None,
        "phases": (JobPhase("extracting", 500_000, 1_000_000, "tokens", 35.0),),
        "message": "",
        "live": ExtractionLive() if status is JobStatus.QUEUED else make_extraction_live(),
        "has_store": status is not JobStatus.QUEUED,
        "is_complete": done,
        "size_bytes": 412_345_678 if done else None,
        "error_code": "RESOURCE_EXHAUSTED" if failed else None,
        "error_message": "The disk is full. <b>Make room</b> and retry." if failed else None,
        "created_at": WHEN,
        "started_at": None if status is JobStatus.QUEUED else WHEN,
        "finished_at": WHEN if status.is_final else None,
    }
    return ExtractionView(**{**fields, **values})  # type: ignore[arg-type]


def make_estimate(**values: object) -> ExtractionEstimate:
    """An estimate that fits; `values` replace single fields."""
    fields: dict[str, object] = {
        "n_tokens": 402_748,
        "n_documents": 3512,
        "seconds": 141.0,
        "memory_bytes": 305_000_000,
        "budget_bytes": 16_000_000_000,
        "disk_bytes": 65_400_000,
        "peak_disk_bytes": 102_000_000,
        "free_disk_bytes": 76_700_000_000,
        "per_sae": {"demo-l1-res": {"l0": 15.0, "disk_bytes": 65_400_000.0}},
        "notes": ("the L0 is not known: 15 assumed",),
    }
    return ExtractionEstimate(**{**fields, **values})  # type: ignore[arg-type]


def make_context(tokens: tuple[str, ...], at: int, values: tuple[float, ...]) -> StoreContext:
    """Text around its token `at`, which stands at position 100."""
    ids = tuple(range(len(tokens)))
    return StoreContext(100, 7, 100 - at, ids, tokens, tokens, "".join(tokens), values)


def make_feature(**values: object) -> StoreFeature:
    """A feature with two examples; `values` replace single fields."""
    examples = (
        StoreExample(8.0, make_context((" the", " cat", "\n"), 1, (0.0, 8.0, 2.0))),
        StoreExample(4.0, make_context((" a", " dog", " sat"), 1, (0.0, 4.0, 0.0))),
    )
    fields: dict[str, object] = {
        "feature": 12,
        "is_dead": False,
        "is_final": True,
        "n": 3000,
        "n_documents": 812,
        "token_density": 0.0123,
        "document_density": 0.1,
        "idf": 2.3,
        "min": 0.12,
        "max": 8.0,
        "mean": 3.1,
        "std": 1.4,
        "quantiles": {"p50": 2.9},
        "histogram": StoreHistogram((0.0, 4.0, 8.0), (2000, 1000)),
        "log_histogram": EMPTY,
        "negative_log_histogram": EMPTY,
        "top": examples,
        "intervals": (),
    }
    return StoreFeature(**{**fields, **values})  # type: ignore[arg-type]
