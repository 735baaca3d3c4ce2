"""A corpus through the demo model and an SAE: this product against SAEDashboard and Delphi.

Each as its own users run it, with its default settings, in a process of its own, from the loaded
model until the result is on disk, over as many tokens of the demo corpus; the programs are in
`anchors`. What comes out differs. Ours: every activation in both directions, and statistics of
every feature. SAEDashboard: dashboards with 45 examples per feature and its logits; no
activations beyond these. Delphi: all activations above 1e-5 in 5 splits, and a printed summary.

Ratios are of seconds per token, so smaller is better; those of processor time are in the details,
which other work on the machine disturbs less.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.anchors import environment
from benchmarks.result import Result, interleaved, ratio
from services.demo import ARTEFACTS

_PROGRAMS = Path(__file__).parent / "anchors"
_MODEL, _SAE = "actiscope-demo", "demo-l1-res"
_TOKENS = 2**16
_CONTEXTS = {"saedashboard": 128, "delphi_cache": 256}  # their defaults
_NAMES = {"saedashboard": "SAEDashboard", "delphi_cache": "Delphi's cache"}
_GOALS = {"saedashboard": 10, "delphi_cache": 2}
_TIMEOUT_S = 3600


def measure(quick: bool) -> list[Result]:
    """The same tokens through all three."""
    other, n_tokens = environment.python(), 2**13 if quick else _TOKENS
    with tempfile.TemporaryDirectory() as folder:
        tokens = _token_files(Path(folder), n_tokens)
        found: dict[str, list[dict[str, Any]]] = {}
        sides = {"ours": _side(found, "ours", Path(sys.executable), {"n_tokens": n_tokens})}
        for name, path in tokens.items():
            sides[name] = _side(found, name, other, {"tokens": str(path)})
        samples = interleaved(sides, 1)  # SAEDashboard takes minutes
    return [_result(name, samples, found) for name in tokens]


def _side(
    found: dict[str, list[dict[str, Any]]], name: str, python: Path, more: dict[str, Any]
) -> Callable[[], float]:
    """Runs the program once and gives the seconds per token."""

    def run() -> float:
        with tempfile.TemporaryDirectory() as output:
            facts = _run(name, python, {"output": output, **_ARTEFACTS, **more})
        found.setdefault(name, []).append(facts)
        seconds: float = facts["seconds"] / facts["n_tokens"]
        return seconds

    return run


_ARTEFACTS = {
    "model": str(ARTEFACTS / "models" / _MODEL),
    "sae": str(ARTEFACTS / "saes" / _SAE),
    "model_id": _MODEL,
    "sae_id": _SAE,
}


def _run(name: str, python: Path, asked: dict[str, Any]) -> dict[str, Any]:
    program = ["-m", "benchmarks.anchors.ours"] if name == "ours" else [_PROGRAMS / f"{name}.py"]
    command = [str(part) for part in (python, *program, json.dumps(asked))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
    if ended.returncode:
        raise RuntimeError(f"{name} failed: {ended.stderr[-2000:]}")
    facts: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return facts


def _token_files(folder: Path, n_tokens: int) -> dict[str, Path]:
    """For each of the other tools its prompts [n, context], BOS first, as many tokens in all."""
    stream, bos, files = *_stream(n_tokens), {}
    for name, context in _CONTEXTS.items():
        rows = stream[: n_tokens // context * (context - 1)].reshape(-1, context - 1)
        prompts = np.column_stack([np.full(len(rows), bos), rows])
        files[name] = folder / f"{name}.npy"
        np.save(files[name], prompts)
    return files


def _stream(n_tokens: int) -> tuple[np.ndarray, int]:
    """Token ids of the demo corpus, documents in a random order, and BOS."""
    from transformers import AutoTokenizer

    from services.corpus.catalogue import CorpusCatalogue
    from services.corpus.reading import Corpus

    tokenizer = AutoTokenizer.from_pretrained(_ARTEFACTS["model"])
    entry = CorpusCatalogue([ARTEFACTS]).get("demo")
    texts = [document.text for document in Corpus.open(entry).documents()]
    np.random.default_rng(0).shuffle(texts)
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return np.concatenate(encoded)[:n_tokens].astype(np.int64), tokenizer.bos_token_id


def _result(
    name: str, samples: dict[str, list[float]], found: dict[str, list[dict[str, Any]]]
) -> Result:
    value, spread = ratio(samples["ours"], samples[name])
    of_cpu = {n: statistics.median(_per_cpu_second(f) for f in found[n]) for n in ("ours", name)}
    theirs = found[name][-1]
    told = {key: theirs[key] for key in theirs if key not in ("n_tokens", "seconds", "cpu_seconds")}
    return Result(
        name=f"extraction on the demo model ÷ {_NAMES[name]}",
        value=value,
        unit="×",
        anchor=f"{_NAMES[name]}: {1 / statistics.median(samples[name]):,.0f} tokens/s",
        repetitions=len(samples[name]),
        spread=spread,
        goal=1 / _GOALS[name],
        details={
            "times faster": 1 / value,
            "times less processor time": of_cpu["ours"] / of_cpu[name],
            "tokens per second, ours": 1 / statistics.median(samples["ours"]),
            "tokens per second, theirs": 1 / statistics.median(samples[name]),
            "tokens": f"{found['ours'][-1]['n_tokens']:,} and {theirs['n_tokens']:,}",
            "tokens per prompt, theirs": _CONTEXTS[name],
            **{f"theirs: {key.replace('_', ' ')}": value for key, value in told.items()},
        },
    )


def _per_cpu_second(facts: dict[str, Any]) -> float:
    rate: float = facts["n_tokens"] / facts["cpu_seconds"]
    return rate
