"""A whole extraction against the bare forward pass over the same batches, truncated at the hook.

Through the product: a job that reads a corpus, computes every feature and builds the complete store
with all statistics. The anchor is transformers' own model with the layers up to the hook, over the
same padded batches in the same thread setting; nobody gets activations for less. Encoding has its
own figure: the share of it is the floor that no extraction gets below.

The demo, and random weights of a realistic shape: d_model 1024, hook behind the tenth of 12 layers,
d_sae 16,384 with about 48 features per token.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.result import Result, interleaved, ratio
from services.container import Container
from services.extraction.requests import StartExtraction
from services.settings import Settings
from services.types import ExtractionView

if TYPE_CHECKING:
    from services.extraction.plan import Plan
    from services.lm.language_model import LanguageModel
    from services.sae.loader import Sae

_GOAL = 1 / 0.85
_TIMEOUT_S = 3600
_THRESHOLD = 2.76  # of standard normal pre-activations: 48 of 16,384 fire


@dataclass(frozen=True)
class _Shape:
    """What is measured."""

    name: str
    sae_id: str
    max_tokens: int
    repetitions: int


def measure(quick: bool) -> list[Result]:
    """Time of an extraction ÷ time of the forward passes that it cannot do without."""
    with tempfile.TemporaryDirectory() as home:
        wide = _make_wide(Path(home), quick)
        shapes = [
            _Shape("the demo", "demo-l1-res", 2000 if quick else 60_000, 1 if quick else 5),
            _Shape(
                "d_model 1024, 10 of 12 layers", wide, 600 if quick else 12_000, 1 if quick else 3
            ),
        ]
        container = Container(Settings(home=Path(home), database_url="", preload=False))
        container.jobs.work()
        try:
            return [_measure(container, shape) for shape in shapes]
        finally:
            container.close()


def _measure(container: Container, shape: _Shape) -> Result:
    first = _extract(container, shape)  # also warms up, and says what the batches are
    lm = container.base.residents.model(first.model_id)
    sae = container.base.residents.sae(first.sae_id)
    batches = _batches(container, first, lm)
    views: list[ExtractionView] = []
    sides: dict[str, Callable[[], float]] = {
        "extraction": lambda: _spent(views, _extract(container, shape)),
        "forward": lambda: _forward(lm, sae, batches),
        "encode": lambda: _encode(sae, lm, first.live.n_counted),
    }
    sides["forward"]()
    samples = interleaved(sides, shape.repetitions)
    value, spread = ratio(samples["extraction"], samples["forward"])
    medians = {name: statistics.median(seconds) for name, seconds in samples.items()}
    return Result(
        name=f"extraction with a complete store ÷ bare forward up to the hook, {shape.name}",
        value=value,
        unit="×",
        anchor=f"transformers over the same batches: {medians['forward']:.1f} s",
        repetitions=shape.repetitions,
        spread=spread,
        goal=_GOAL,
        details={
            "floor: (forward + encode) ÷ forward": 1 + medians["encode"] / medians["forward"],
            "median": {f"{name}, s": seconds for name, seconds in medians.items()},
            "of it": {f"{p.name}, s": p.seconds for p in views[-1].phases if p.name in _COUNTED},
            "tokens/s": first.live.n_tokens / medians["extraction"],
            "tokens": first.live.n_tokens,
            "L0": first.live.l0,
        },
    )


_COUNTED = ("extracting", "merging")  # the decoder is read once per SAE, whatever the corpus


def _spent(views: list[ExtractionView], view: ExtractionView) -> float:
    views.append(view)
    return sum(phase.seconds for phase in view.phases if phase.name in _COUNTED)


def _extract(container: Container, shape: _Shape) -> ExtractionView:
    request = StartExtraction(
        sae_ids=(shape.sae_id,), corpus_id="demo", max_tokens=shape.max_tokens
    )
    (view,) = container.extractions.start(request)
    assert view.job_id is not None
    ended = container.jobs.wait(view.job_id, _TIMEOUT_S)
    if ended.error_message or ended.result is None:
        raise RuntimeError(f"the extraction failed: {ended.error_message}")
    return container.extractions.get(view.extraction_id)


def _batches(container: Container, view: ExtractionView, lm: LanguageModel) -> list[Any]:
    """The padded batches of the extraction, [batch, pos] ids each."""
    import torch

    from services.extraction.batching import batches
    from services.extraction.plan import Plan
    from services.extraction.windows import Place, WindowReader

    plan: Plan = Plan.from_json(view.config)
    corpus = container.corpora.open(view.corpus_id)
    found = []
    for pool in WindowReader(corpus, lm.tokenizer, plan).pools(Place()):
        for numbers in batches(pool.items, plan.batch_tokens):
            rows = [torch.tensor(pool.items[number].window.token_ids) for number in numbers]
            found.append(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True))
    return found


def _forward(lm: LanguageModel, sae: Sae, batches: list[Any]) -> float:
    """Seconds of the layers up to the hook over all batches."""
    import torch

    from services.lm.device import use_threads

    use_threads(lm.reading_threads)
    body: Any = lm.model.base_model
    layers = body.layers
    body.layers = layers[: sae.info.layer + 1]
    started = time.perf_counter()
    try:
        with torch.inference_mode():
            for ids in batches:
                body(input_ids=ids.to(lm.device), use_cache=False)
    finally:
        body.layers = layers
    return time.perf_counter() - started


def _encode(sae: Sae, lm: LanguageModel, n_tokens: int) -> float:
    """Seconds of the SAE's encoder alone over so many tokens."""
    import torch

    from services.lm.device import use_threads

    use_threads(sae.threads)
    x = torch.randn(512, sae.info.d_in, device=lm.device)
    started = time.perf_counter()
    for first in range(0, n_tokens, len(x)):
        sae.encode(x[: n_tokens - first])
    return time.perf_counter() - started


def _make_wide(home: Path, quick: bool) -> str:
    """A random Llama and a JumpReLU SAE of random directions behind its tenth layer."""
    import torch
    from safetensors.torch import save_file

    from tests.made_models import make_model, make_sae

    d_model, n_layers, d_sae = (128, 4, 1024) if quick else (1024, 12, 16_384)
    layer = n_layers - 3
    make_model(home, "wide", d_model=d_model, n_layers=n_layers)
    folder = make_sae(home, "wide-sae", model_id="wide", d_in=d_model, d_sae=d_sae, layer=layer)
    config = json.loads((folder / "cfg.json").read_text())
    del config["k"]
    config |= {"architecture": "jumprelu", "normalize_activations": "layer_norm"}
    (folder / "cfg.json").write_text(json.dumps(config))
    W_enc = torch.randn(d_model, d_sae, generator=torch.Generator().manual_seed(0)) / d_model**0.5
    tensors = {
        "W_enc": W_enc,
        "W_dec": W_enc.T.contiguous(),
        "b_enc": torch.zeros(d_sae),
        "b_dec": torch.zeros(d_model),
        "threshold": torch.full((d_sae,), _THRESHOLD),
    }
    save_file(tensors, folder / "sae_weights.safetensors")
    return "wide-sae"
