"""A whole run of the product against bare `generate` of the same model, tokens and seed.

Ours is everything from `start` until the run is stored: prompt, own decode loop, checkpoints while
it writes, one pass for the features of two SAEs, SQLite. The anchor is transformers' `generate`
alone, on the same loaded model, with the number of threads that suits it best.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.result import Result, interleaved, ratio
from services.container import Container
from services.runs.request import RunRequest
from services.settings import Settings
from services.types import RunView, Segment

_TIMEOUT_S = 600
_STARTS = [(prompt, seed) for seed in (1, 2, 3) for prompt in ("def add(a, b):", "import os\n")]
_PHASES = ("writing", "features", "prompt and checks", "claim and store")


@dataclass(frozen=True, slots=True)
class Case:
    """A model, its two SAEs, and how much it writes."""

    name: str
    model_id: str | None  # None: the embedded demo
    max_tokens: int
    repetitions: int
    goal: float
    temperature: float = 0.0


def measure(quick: bool) -> list[Result]:
    """The demo greedy and sampled, and random weights of a middling size."""
    demo = Case("demo, greedy", None, 256, 3 if quick else 21, goal=1.0)
    sampled = replace(demo, name="demo, sampled", temperature=0.8)
    made = Case("d_model 1024 × 12 layers, greedy", "made", 12 if quick else 96, 7, goal=1.05)
    made = replace(made, repetitions=2) if quick else made
    with tempfile.TemporaryDirectory() as folder, _container(Path(folder)) as container:
        default_threads = _default_threads()
        _make_model(container.settings.home)
        return [_measure_case(container, c, default_threads) for c in (demo, sampled, made)]


@contextmanager
def _container(folder: Path) -> Iterator[Container]:
    container = Container(Settings(home=folder / "home", database_url="", preload=False))
    try:
        yield container
    finally:
        container.close()


def _make_model(home: Path) -> None:
    from transformers.utils import logging

    from tests.made_models import make_model, make_sae

    logging.disable_progress_bar()
    make_model(home, "made", d_model=1024, n_layers=12)
    for layer in (4, 8):
        make_sae(home, f"made-l{layer}", model_id="made", d_in=1024, d_sae=8192, layer=layer)


def _default_threads() -> int:
    """What torch takes when nobody chooses."""
    import torch

    return torch.get_num_threads()


def _measure_case(container: Container, case: Case, default: int) -> Result:
    from services.lm.device import reading_threads

    ours = _Ours(container, case)
    view = ours.choose()  # loads the model, and warms everything up
    lm = container.base.residents.model(view.summary.model_id)  # the very object that ours uses
    generate = _Generate(lm, view, case)
    counts = sorted({1, default, reading_threads(0)})
    anchors = {_threads(n): (lambda n=n: generate.seconds(n)) for n in counts}
    for warm_up in anchors.values():
        warm_up()
    samples = interleaved({"ours": ours.seconds, **anchors}, case.repetitions)
    medians = {name: statistics.median(values) for name, values in samples.items()}
    best = min(anchors, key=lambda name: medians[name])
    value, spread = ratio(samples["ours"], samples[best])
    by_default = ratio(samples["ours"], samples[_threads(default)])[0]
    return Result(
        name=f"run ÷ generate: {case.name}",
        value=value,
        unit="×",
        anchor=best,
        repetitions=case.repetitions,
        spread=spread,
        goal=case.goal,
        details={
            "tokens written": view.summary.output_tokens,
            "threads of ours": view.provenance["threads"],
            "same tokens as generate": _sameness(view, generate, case),
            f"ratio to generate with torch's default of {default} threads": by_default,
            "median": {f"{name}, ms": 1000 * value for name, value in medians.items()},
            "ours, median ms": ours.phases(),
        },
    )


def _threads(n: int) -> str:
    return f"generate, {n} thread{'s' if n > 1 else ''}"


class _Ours:
    """Runs through the product, as REST and the pages start them."""

    def __init__(self, container: Container, case: Case) -> None:
        self._container, self._case = container, case
        self._start = _STARTS[0]  # prompt and seed
        self._phases: dict[str, list[float]] = {name: [] for name in _PHASES}

    def choose(self) -> RunView:
        """The run that writes to the limit, or else the longest; its start is taken from now on."""
        views = []
        for self._start in _STARTS:
            views.append(self._container.runs.view(self._start_and_wait()))
            if views[-1].summary.output_tokens == self._case.max_tokens:
                return views[-1]
        longest = max(views, key=lambda view: view.summary.output_tokens)
        self._start = _STARTS[views.index(longest)]
        return longest

    def seconds(self) -> float:
        """Wall time of a run."""
        started = time.perf_counter()
        request_id = self._start_and_wait()
        elapsed = time.perf_counter() - started
        self._note(elapsed, self._container.runs.view(request_id).provenance)
        return elapsed

    def phases(self) -> dict[str, float]:
        """Median milliseconds of each phase."""
        return {name: 1000 * statistics.median(times) for name, times in self._phases.items()}

    def _start_and_wait(self) -> str:
        prompt, seed = self._start
        request = RunRequest(
            prompt=prompt,
            chat_template="off",
            model_id=self._case.model_id,
            temperature=self._case.temperature,
            max_tokens=self._case.max_tokens,
            seed=seed,
        )
        started = self._container.runs.start(request)
        summary = self._container.runs.wait(started.request_id, _TIMEOUT_S)
        if summary.status != "ok" or len(summary.sae_ids) != 2:
            raise RuntimeError(f"the run ended {summary.status}: {summary.error_message}")
        return summary.request_id

    def _note(self, elapsed: float, provenance: Any) -> None:
        writing, features = provenance["writing_s"], provenance["features_s"]
        rest = provenance["duration_s"] - writing - features
        times = (writing, features, rest, elapsed - provenance["duration_s"])
        for name, value in zip(_PHASES, times, strict=True):
            self._phases[name].append(value)


class _Generate:
    """transformers' `generate` of as many tokens from the same prompt."""

    def __init__(self, lm: Any, view: RunView, case: Case) -> None:
        self._lm, self._case, self._n = lm, case, view.summary.output_tokens
        self._prompt = [t.token_id for t in view.tokens if t.segment is Segment.PROMPT]

    def seconds(self, threads: int) -> float:
        """Wall time with that many threads."""
        import torch

        torch.set_num_threads(threads)
        try:
            started = time.perf_counter()
            self.tokens()
            return time.perf_counter() - started
        finally:
            # Part of the setting is the process's, not the thread's: ours must find its own.
            torch.set_num_threads(self._lm.threads)

    def tokens(self) -> list[int]:
        """The ids that it writes."""
        import torch

        ids = torch.tensor([self._prompt], device=self._lm.device)
        torch.manual_seed(1)
        written = self._lm.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=self._n,
            eos_token_id=-1,  # exactly as many tokens as ours wrote
            pad_token_id=0,
            **self._sampling(),
        )
        if written.shape[1] != len(self._prompt) + self._n:
            raise RuntimeError("generate wrote another number of tokens")
        return written[0, len(self._prompt) :].tolist()

    def _sampling(self) -> dict[str, Any]:
        if not self._case.temperature:
            return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        default = RunRequest(prompt="-")
        return {
            "do_sample": True,
            "temperature": self._case.temperature,
            "top_p": default.top_p,
            "top_k": default.top_k,
        }


def _sameness(view: RunView, generate: _Generate, case: Case) -> str:
    if case.temperature:
        return "as many; drawn by another random generator"
    ours = [t.token_id for t in view.tokens if t.segment is Segment.OUTPUT]
    theirs = generate.tokens()
    equal = sum(a == b for a, b in zip(ours, theirs, strict=True))
    return "yes, all" if equal == len(ours) else f"{equal} of {len(ours)}"
