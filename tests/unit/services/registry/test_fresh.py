"""Reports that still stand for the files that are there, and those that do not."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.lm.catalogue import ModelCatalogue, ModelEntry
from services.registry.fresh import is_stale, model_files, sae_files, stamped
from services.sae.catalogue import SaeCatalogue, SaeEntry
from services.types import PreflightReport, Verdict
from tests import tiny

MODEL_FILES = ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json")


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are too large to be hashed for a listing."""
    monkeypatch.setattr("services.lm.weight_files._HASH_AT_LISTING_BYTES", 0)


def entries(root: Path) -> tuple[SaeEntry, ModelEntry]:
    """As a fresh listing finds them."""
    return SaeCatalogue((root,)).get("tiny-sae"), ModelCatalogue((root,)).get("tiny")


def report(root: Path, age: timedelta = timedelta()) -> PreflightReport:
    """Of the files in `root`, as it was kept before there were fingerprints."""
    sae, model = entries(root)
    return PreflightReport(
        preflight_id="1", sae_id="tiny-sae", model_id="tiny", created_at=datetime.now(UTC) - age,
        verdict=Verdict.GOOD, findings=(), metrics={}, published={}, conditions={"device": "cpu"},
        curves={}, sae_revision=sae.info.revision, model_revision=model.info.revision,
        duration_s=1.0,
    )  # fmt: skip


def measured(root: Path) -> PreflightReport:
    sae, model = entries(root)
    return stamped(report(root), sae_files(sae), model_files(model))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tiny.save_model(tmp_path, "tiny")
    tiny.save_sae(tmp_path)
    return tmp_path


def test_what_has_not_changed_stands(root: Path) -> None:
    kept = measured(root)
    assert kept.conditions["device"] == "cpu" and not is_stale(kept, *entries(root))
    for path in root.rglob("*"):
        if path.is_file():
            path.touch()  # small files count by their content
    assert not is_stale(kept, *entries(root))


@pytest.mark.parametrize("name", ["cfg.json", tiny.WEIGHTS])
def test_another_file_of_the_sae_makes_it_stale(root: Path, name: str) -> None:
    kept = measured(root)
    path = root / "saes" / "tiny-sae" / name
    path.write_bytes(
        path.read_bytes().replace(b"float32", b"float64") + b" " * (name == "cfg.json")
    )
    if name == tiny.WEIGHTS:
        content = path.read_bytes()
        path.write_bytes(content[:-400] + bytes(400))
    sae, model = entries(root)
    assert is_stale(kept, sae, model) and is_stale(kept, sae, None)
    assert not is_stale(kept, None, model)


@pytest.mark.parametrize("name", MODEL_FILES)
def test_another_file_of_the_model_makes_it_stale(root: Path, name: str) -> None:
    kept = measured(root)
    path = root / "models" / "tiny" / name
    content = path.read_bytes()
    path.write_bytes(content + b" " if name.endswith("json") else content[:-400] + bytes(400))
    sae, model = entries(root)
    assert is_stale(kept, sae, model) and not is_stale(kept, sae, None)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    "place", [f"saes/tiny-sae/{tiny.WEIGHTS}", "models/tiny/model.safetensors"]
)
@pytest.mark.parametrize("days", [-1000, 1000])
def test_large_weights_of_another_date_are_others(root: Path, place: str, days: int) -> None:
    kept = measured(root)
    assert not is_stale(kept, *entries(root))
    moment = (datetime.now(UTC) + timedelta(days=days)).timestamp()
    os.utime(root / place, (moment, moment))
    assert is_stale(kept, *entries(root))
    assert not is_stale(measured(root), *entries(root))  # also where the date is still to come


def test_a_report_without_fingerprints_stands_for_its_revisions(root: Path) -> None:
    kept = report(root)
    assert not is_stale(kept, *entries(root))
    assert is_stale(replace(kept, sae_revision="0" * 64), *entries(root))
    assert is_stale(replace(kept, model_revision="0" * 64), *entries(root))


@pytest.mark.usefixtures("large")
def test_a_report_without_fingerprints_is_older_than_newer_weights(root: Path) -> None:
    new = replace(report(root), sae_revision="0" * 64, model_revision="1" * 64)
    old = replace(new, created_at=new.created_at - timedelta(days=1))
    assert not is_stale(new, *entries(root)) and is_stale(old, *entries(root))
