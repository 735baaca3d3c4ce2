"""The shipped demo as pairs to measure: as it is, and with something wrong put in on purpose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from services.demo import ARTEFACTS
from services.lm.catalogue import ModelCatalogue
from services.lm.language_model import LanguageModel
from services.lm.loader import load_model
from services.sae.catalogue import SaeCatalogue, SaeEntry
from services.sae.loader import load_sae
from services.sae.preflight import preflight
from services.types import PreflightReport, Verdict

CPU = torch.device("cpu")
Tensors = dict[str, torch.Tensor]
SAES = ("demo-l1-res", "demo-l2-res")


def demo_model() -> LanguageModel:
    return load_model(ModelCatalogue([ARTEFACTS]).list()[0], CPU, torch.float32, threads=1)


@cache
def shipped(sae_id: str) -> SaeEntry:
    return SaeCatalogue([ARTEFACTS]).get(sae_id)


def changed(
    root: Path,
    sae_id: str,
    tensors: Callable[[Tensors], Any] = lambda t: None,
    cfg: Callable[[dict[str, Any]], Any] = lambda c: None,
) -> SaeEntry:
    """A copy of a shipped SAE whose tensors (in float32) or configuration were changed."""
    folder = root / "saes" / sae_id
    shutil.copytree(shipped(sae_id).path, folder)
    weights = {name: t.float() for name, t in load_file(folder / "sae_weights.safetensors").items()}
    tensors(weights)
    weights = {name: t.contiguous().clone() for name, t in weights.items()}
    save_file(weights, folder / "sae_weights.safetensors")
    config = json.loads((folder / "cfg.json").read_text())
    cfg(config)
    (folder / "cfg.json").write_text(json.dumps(config))
    return SaeCatalogue([root]).get(sae_id)


def measured(lm: LanguageModel, entry: SaeEntry, **options: Any) -> PreflightReport:
    """The report; on a fourth of the text unless `max_tokens` says otherwise."""
    options = {"max_tokens": 1024, **options}
    report = preflight(lm, load_sae(entry, CPU, threads=1), entry, **options)
    assert report is not None
    return report


def codes(report: PreflightReport, verdict: Verdict | None = None) -> set[str]:
    return {f.code for f in report.findings if verdict is None or f.verdict is verdict}
