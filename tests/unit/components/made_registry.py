"""Made values for the tests of what is shown of the registry."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from services.types import (
    Candidate,
    CatalogueEntry,
    CataloguePage,
    EntryState,
    Finding,
    ModelCard,
    ModelInfo,
    PreflightReport,
    SaeCard,
    SaeInfo,
    Source,
    TaskStatus,
    TaskView,
    Verdict,
)

WHEN = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)
FINDINGS = (
    Finding(
        "no_threshold", Verdict.BROKEN,
        "The SAE is a JumpReLU without thresholds: 9,812 features fire per token where 71 are "
        "published.",
        "Take the release with thresholds, or name the file that holds them.",
    ),
    Finding(
        "transfer", Verdict.SUSPICIOUS,
        "It was trained on meta-llama/Llama-3.1-8B, and this is Llama-3.1-8B-Instruct.",
        "Compare with the base model before you rely on it.",
    ),
)  # fmt: skip


def make_info(verdict: Verdict | None = Verdict.GOOD, number: int = 1, **values: object) -> SaeInfo:
    """An SAE; `values` replace single fields."""
    fields: dict[str, object] = {
        "sae_id": f"demo-l{number}-res",
        "model_id": "actiscope-demo",
        "hook_name": f"blocks.{number}.hook_resid_post",
        "layer": number,
        "d_in": 128,
        "d_sae": 2048,
        "architecture": "jumprelu",
        "revision": "3f" * 32,
        "neuronpedia_id": "gpt2-small/6-res-jb",
        "trained_on": "actiscope-demo",
        "verdict": verdict,
    }
    return SaeInfo(**{**fields, **values})  # type: ignore[arg-type]


def make_report(verdict: Verdict = Verdict.GOOD, **values: object) -> PreflightReport:
    """A preflight; `values` replace single fields."""
    random = np.random.default_rng(3)
    l0, l0_edges = np.histogram(random.normal(36, 7, 1000), 30)
    density, density_edges = np.histogram(random.normal(-2.2, 0.7, 2048), 28)
    norm, norm_edges = np.histogram(random.normal(14.2, 2, 1000), 30)
    errors = 0.4 + np.exp(-np.arange(128) / 9) + random.normal(0, 0.02, 128)
    fields: dict[str, object] = {
        "preflight_id": "0192f0c1-7a4e-7cc1-9b0a-000000000001",
        "sae_id": "demo-l1-res",
        "model_id": "actiscope-demo",
        "created_at": WHEN,
        "verdict": verdict,
        "findings": () if verdict is Verdict.GOOD else FINDINGS,
        "metrics": {
            "l0": 36.2, "l0_p10": 27.0, "l0_p90": 45.0, "explained_variance": 0.8731,
            "fvu": 0.1269, "mse": 12.34, "cosine": 0.942, "norm_ratio": 0.91, "ce_model": 2.413,
            "ce_spliced": 2.61, "ce_zero": 7.9, "loss_recovered": 0.9641, "dead_share": 0.031,
            "dense_share": 0.002, "input_norm": 14.2, "expected_norm": None, "bos_norm": 310.0,
            "of_tomorrow": 0.5,
        },
        "published": {"l0": 34.0, "explained_variance": 0.88},
        "conditions": {
            "text": "It was a quiet morning in the harbour. " * 12, "text_sha256": "ab" * 32,
            "tokens": 4096, "contexts": 32, "bos": True, "dtype": "float32", "device": "cpu",
        },
        "curves": {
            "l0_histogram": tuple(map(float, l0)), "l0_edges": tuple(l0_edges),
            "density_histogram": tuple(map(float, density)), "density_edges": tuple(density_edges),
            "error_by_position": tuple(errors),
            "input_norm_histogram": tuple(map(float, norm)), "input_norm_edges": tuple(norm_edges),
            "window_explained_variance": tuple(random.normal(0.87, 0.02, 16)),
        },
        "sae_revision": "3f" * 32,
        "model_revision": "9c" * 32,
        "duration_s": 3.4,
    }  # fmt: skip
    return PreflightReport(**{**fields, **values})  # type: ignore[arg-type]


def make_sae(verdict: Verdict | None = Verdict.GOOD, number: int = 1, **values: object) -> SaeCard:
    """A registered SAE; `values` replace single fields."""
    fields: dict[str, object] = {
        "info": make_info(verdict, number),
        "source": Source.HUGGINGFACE,
        "state": EntryState.READY,
        "format": "sae_lens",
        "path": "/data/saes/demo-l1-res",
        "size_bytes": 2_113_024,
        "added_at": WHEN,
        "repo_id": "someone/gpt2-small-saes",
        "repo_revision": "5c" * 20,
        "repo_path": "layer_1/width_2k",
        "release": "gpt2-small-res-jb",
        "published": {"l0": 34.0},
        "runs": 12,
        "preflight": None if verdict is None else make_report(verdict),
    }
    return SaeCard(**{**fields, **values})  # type: ignore[arg-type]


def make_model(**values: object) -> ModelCard:
    """A registered model; `values` replace single fields."""
    saes = (make_info(), make_info(Verdict.BROKEN, 2), make_info(None, 3))
    info = ModelInfo(
        "actiscope-demo", 4, 128, 256, 4096, 1_312_768, True, "9c" * 32, saes, "llama", "F32",
        5_251_072,
    )  # fmt: skip
    fields: dict[str, object] = {
        "info": info,
        "source": Source.LOCAL,
        "state": EntryState.READY,
        "path": "/data/models/actiscope-demo",
        "memory_bytes": 6_500_000,
        "budget_bytes": 16_000_000_000,
        "added_at": WHEN,
        "runs": 3,
    }
    return ModelCard(**{**fields, **values})  # type: ignore[arg-type]


def make_task(status: TaskStatus = TaskStatus.RUNNING, **values: object) -> TaskView:
    """A download half done; `values` replace single fields."""
    fields: dict[str, object] = {
        "task_id": "4be0643f1d98573b97cdca98a65347dd",
        "kind": "add_saes",
        "title": "Add layer_12/width_16k/canonical of gemma-scope-2b-pt-res-canonical",
        "status": status,
        "phase": "done" if status.is_final else "downloading",
        "done": 151_000_000,
        "total": 302_000_000,
        "unit": "bytes",
        "per_s": 4_200_000.0,
        "created_at": WHEN,
    }
    return TaskView(**{**fields, **values})  # type: ignore[arg-type]


def make_catalogue(count: int = 4) -> CataloguePage:
    """The first entries that match, of many."""
    items = [
        CatalogueEntry(
            "gemma-scope-2b-pt-res-canonical", f"layer_{12 + i}/width_16k/canonical",
            "google/gemma-scope-2b-pt-res", f"layer_{12 + i}/width_16k/average_l0_82",
            "google/gemma-2-2b", "resid_post", 12 + i, 16_384, 82.0, None,
            f"gemma-2-2b/{12 + i}-gemmascope-res-16k", "gemma_2",
            "its weights are a pickle, which is never loaded" if i == 3 else None,
        )
        for i in range(count)
    ]  # fmt: skip
    return CataloguePage(tuple(items), 2833)


def make_candidates() -> tuple[Candidate, ...]:
    """What was found in a folder: three SAEs in two directories, and a file that is none."""
    return (
        Candidate("layer_1/a", "sae_lens", 2_113_024, "gpt2", "blocks.1.hook_resid_post",
                  "standard", 768, 24_576),
        Candidate("layer_1/b", "dictionary_learning", 2_113_024, "", "", "topk", 768, 24_576,
                  ("model_id", "hook_name")),
        Candidate("layer_2/a", "sae_lens", 2_113_024, "gpt2", "blocks.2.hook_resid_post",
                  "standard", 768, 24_576),
        Candidate("layer_3/ae.pt", "", 2_113_024,
                  problem="a pickle, which may run code: convert it to safetensors"),
    )  # fmt: skip
