"""Measuring an SAE with its model, against the model's bare passes over the same tokens.

The demo model and its first SAE; everything of a preflight: plain, spliced and ablated passes,
features, statistics, other layers, verdict. The anchor is transformers' forward over the same
windows of the same text, with the loss computed, once.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.result import Result, interleaved, ratio
from services.container import Container
from services.settings import Settings

if TYPE_CHECKING:
    from services.lm.language_model import LanguageModel

_SAE = "demo-l1-res"


def measure(quick: bool) -> list[Result]:
    """Preflight time on the demo."""
    with tempfile.TemporaryDirectory() as home:
        container = Container(Settings(home=Path(home), database_url="", preload=False))
        try:
            return [_measure(container, 2 if quick else 9)]
        finally:
            container.close()


def _measure(container: Container, repetitions: int) -> Result:
    from services.sae.catalogue import SaeCatalogue
    from services.sae.preflight import preflight

    entry = SaeCatalogue([_artefacts()]).get(_SAE)
    lm = container.base.residents.model(entry.info.model_id)
    sae = container.base.residents.sae(_SAE)
    reports: list[Any] = []
    sides = {
        "preflight": lambda: _seconds(lambda: reports.append(preflight(lm, sae, entry))),
        "forward": lambda: _seconds(lambda: _forward(lm)),
    }
    for warm_up in sides.values():
        warm_up()
    samples = interleaved(sides, repetitions)
    value, spread = ratio(samples["preflight"], samples["forward"])
    report = reports[-1]
    return Result(
        name="preflight of a demo SAE ÷ one bare pass over the same tokens",
        value=value,
        unit="×",
        anchor=f"transformers' forward with loss: {1000 * _median(samples['forward']):.0f} ms",
        repetitions=repetitions,
        spread=spread,
        details={
            "preflight, s": _median(samples["preflight"]),
            "tokens": report.conditions["tokens_read"],
            "verdict": report.verdict.value,
        },
    )


def _artefacts() -> Path:
    from services.demo import ARTEFACTS

    return ARTEFACTS


def _forward(lm: LanguageModel) -> None:
    """The mean loss over the windows that a preflight reads."""
    import torch

    from services.lm.device import use_threads
    from services.sae.preflight.text import cut_windows, token_limit

    windows = cut_windows(lm, lm.tokenizer.bos_token_id, token_limit(lm))
    use_threads(lm.reading_threads)
    with torch.inference_mode():
        for row in windows.rows:
            ids = torch.tensor([row], device=lm.device)
            float(lm.model(input_ids=ids, labels=ids, use_cache=False).loss)


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _median(values: list[float]) -> float:
    return statistics.median(values)
