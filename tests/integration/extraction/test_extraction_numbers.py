"""What an extraction stores, against plain transformers and numpy window by window; and the same
bytes however often it is interrupted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from services.container import Container
from services.corpus.reading import Corpus
from services.corpus.requests import Packing
from services.demo import ARTEFACTS
from services.errors import ActiscopeError
from services.extraction import plan, running
from services.extraction.kind import _tools
from services.extraction.requests import ExtractionOptions, ExtractParams
from services.jobs.context import HandedBack
from services.settings import Settings
from services.store import ActivationStore
from tests import tiny
from tests.made_corpora import jsonl, made

DEMO, DEMO_SAES = "actiscope-demo", ("demo-l1-res", "demo-l2-res")
CONTEXT, STRIDE, BOS = 48, 20, 1
_CODE = "def add(a, b):\n    return a + b  # the sum of both\n"
TEXTS = ["import os\n", "", "One <|end|> two <bos> three", _CODE * 12, "x", _CODE * 3 + "é日本"]


class Attempt:
    """One attempt at a job, which ends with its `commits`-th commit as one handed back does."""

    def __init__(self, checkpoint: Mapping[str, Any] | None = None, commits: int = 10**9) -> None:
        self.checkpoint, self._left = checkpoint, commits
        self.lines: list[str] = []

    def begin(self, *_: Any) -> None:
        pass

    progress = begin

    def check(self) -> None:
        pass

    def should_stop(self) -> bool:
        return False

    def log(self, message: str, level: str = "info") -> None:
        self.lines.append(message)

    def commit(self, checkpoint: Mapping[str, Any], write: Any = None) -> None:
        self.checkpoint = json.loads(json.dumps(checkpoint))
        self._left -= 1
        if not self._left:
            raise HandedBack


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("numbers")
    tiny.save_model(root, "tiny")
    tiny.save_sae(root, "one")
    meta = {"hook_name": "blocks.0.hook_mlp_out", "hf_hook_name": "model.layers.0.mlp.output"}
    tiny.save_sae(root, "two", "topk", metadata=meta, k=7)
    return root


@pytest.fixture(scope="module")
def container(home: Path) -> Iterator[Container]:
    url = f"sqlite:///{home / 'actiscope.sqlite'}"
    found = Container(Settings(home=home, database_url=url, preload=False, threads=1))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def commits_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_COMMIT_S", 0.0)


def params_of(corpus: Corpus, model_id: str, saes: tuple[str, ...], **options: Any) -> Any:
    return ExtractParams(
        model_id=model_id,
        sae_ids=saes,
        extraction_ids=tuple(f"ext-{sae}" for sae in saes),
        options=ExtractionOptions(corpus_id=corpus.info.corpus_id, **options),
        corpus_hash=corpus.info.content_hash,
    )


def run(container: Container, folder: Path, params: Any, attempt: Attempt | None = None) -> Any:
    parts = container.extractions._parts
    tools = replace(_tools(parts), store_url=lambda id: str(folder / id))
    return running.run_extraction(attempt or Attempt(), params, tools)  # type: ignore[arg-type]


# Against plain transformers and numpy


@pytest.fixture(scope="module")
def corpus(home: Path) -> Corpus:
    return made(jsonl(home / "texts.jsonl", [{"text": text} for text in TEXTS]), home)


def windows(ids: list[int], head: list[int]) -> Iterator[tuple[list[int], int]]:
    """Each window, and how many of its last tokens are new."""
    room = CONTEXT - len(head)
    yield head + ids[:room], len(head + ids[:room])
    for end in range(room, len(ids), STRIDE):
        stop = min(end + STRIDE, len(ids))
        yield head + ids[stop - room : stop], stop - end


@cache
def reference(head: tuple[int, ...]) -> tuple[list[int], dict[str, np.ndarray]]:
    """Token ids, and by SAE all features [n, d_sae]."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = ARTEFACTS / "models" / DEMO
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids: list[int] = []
    read: list[list[torch.Tensor]] = []
    for text in filter(None, TEXTS):
        for window, new in windows(tokenizer(text, add_special_tokens=False)["input_ids"], [*head]):
            with torch.inference_mode():
                states = model(torch.tensor([window]), output_hidden_states=True).hidden_states
            ids += window[-new:]
            read.append([states[layer + 1][0, -new:] for layer in (1, 2)])
    inputs = [torch.cat(layer).double().numpy() for layer in zip(*read, strict=True)]
    return ids, {s: encoded(s, x) for s, x in zip(DEMO_SAES, inputs, strict=True)}


def encoded(sae_id: str, x: np.ndarray) -> np.ndarray:
    weights = load_file(ARTEFACTS / "saes" / sae_id / "sae_weights.safetensors")
    w = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    hidden = (x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    return np.where(hidden > np.maximum(w["threshold"], 0), hidden, 0)


@pytest.mark.parametrize("batch_tokens", [1, 300])
@pytest.mark.parametrize(
    ("bos", "skip"), [("auto", ("bos", "special")), ("always", ()), ("never", ("special",))]
)
def test_every_activation_is_that_of_its_window(
    container: Container,
    corpus: Corpus,
    tmp_path: Path,
    bos: str,
    skip: tuple[str, ...],
    batch_tokens: int,
) -> None:
    packing = Packing(context=CONTEXT, stride=STRIDE, bos=bos)  # type: ignore[arg-type]
    options = {"packing": packing, "skip": skip, "batch_tokens": batch_tokens}
    run(container, tmp_path, params_of(corpus, DEMO, DEMO_SAES, precision="float32", **options))
    ids, features = reference(() if bos == "never" else (BOS,))
    special = container.base.residents.model(DEMO).special_ids
    skipped = (special - {BOS} if "special" in skip else set()) | ({BOS} & {"bos" in skip})
    counted = ~np.isin(ids, sorted(skipped))
    for sae_id, wanted in features.items():
        store = ActivationStore.open(str(tmp_path / f"ext-{sae_id}"))
        rows = store.tokens(0, store.n_tokens)
        assert rows.token_ids.tolist() == ids
        assert rows.counted.tolist() == counted.tolist()
        found = np.zeros_like(wanted)
        token = np.repeat(np.arange(len(ids)), np.diff(rows.indptr))
        found[token, rows.features] = rows.values
        wanted = np.where(counted[:, None], wanted, 0)
        differ = (found > 0) != (wanted > 0)
        assert differ.sum() <= 2  # a feature within rounding of its threshold
        np.testing.assert_allclose(found[~differ], wanted[~differ], rtol=2e-4, atol=2e-4)
        assert store.dead().tolist() == np.flatnonzero(~(found > 0).any(0)).tolist()


# Interrupted


@pytest.fixture(scope="module")
def long(home: Path) -> Corpus:
    words = [
        "the",
        "cat",
        "sat",
        "on",
        "the",
        "mat",
        "and",
        "the",
        "dog",
        "ran",
        "user",
        "system",
        "assistant",
        "naïve",
        "café",
    ]
    rng = np.random.default_rng(4)
    rows = [{"text": " ".join(rng.choice(words, n))} for n in rng.integers(0, 60, 180)]
    return made(jsonl(home / "long.jsonl", rows), home)


@pytest.fixture(scope="module")
def params(long: Corpus) -> Any:
    packing = Packing(context=32, stride=16, bos="always")
    return params_of(long, "tiny", ("one", "two"), packing=packing, batch_tokens=64)


@pytest.fixture(scope="module")
def whole(container: Container, params: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The files of an extraction that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run(container, folder, params)
    found = digests(folder)
    assert sum("part-" in name for name in found) >= 4
    return found


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {"log", "tmp"} & set(path.relative_to(folder).parts)
    }


@pytest.mark.parametrize("every", [1, 6])
def test_the_same_bytes_however_often_it_is_handed_back(
    container: Container, params: Any, whole: Any, tmp_path: Path, every: int
) -> None:
    attempts, attempt = 0, Attempt(commits=every + 1)
    while attempts < 100:
        attempts += 1
        try:
            run(container, tmp_path, params, attempt)
            break
        except HandedBack:  # what was not sealed is computed again: let it come further
            attempt = Attempt(attempt.checkpoint, commits=every + 3 * attempts)
    assert attempts > 2
    assert digests(tmp_path) == whole


def test_stores_that_are_not_equally_far(
    container: Container, params: Any, whole: Any, tmp_path: Path
) -> None:
    first = Attempt(commits=30)
    with pytest.raises(HandedBack):
        run(container, tmp_path, params, first)
    shutil.rmtree(tmp_path / "ext-two")
    result = run(container, tmp_path, params, Attempt(first.checkpoint))
    assert digests(tmp_path) == whole
    for facts in result["extractions"].values():
        store = ActivationStore.open(facts["store"])
        n = sum(store.statistics(feature).n for feature in range(store.spec.d_sae))
        assert (facts["n_tokens"], facts["nnz"]) == (store.n_tokens, n)


def test_libraries_that_were_upgraded_meanwhile_are_told_and_it_goes_on(
    container: Container, params: Any, whole: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    first = Attempt(commits=6)
    with pytest.raises(HandedBack):
        run(container, tmp_path, params, first)
    monkeypatch.setattr(plan, "library_versions", lambda: {"torch": "99.0"})
    again = Attempt(first.checkpoint)
    run(container, tmp_path, params, again)
    assert digests(tmp_path) == whole
    assert any("is now 99.0" in line for line in again.lines)


def test_an_sae_that_fails_does_not_touch_the_others(
    container: Container, params: Any, whole: Any, tmp_path: Path
) -> None:
    (tmp_path / "ext-one").mkdir()
    (tmp_path / "ext-one" / "store.json").write_text("{}")
    attempt = Attempt()
    with pytest.raises(ActiscopeError, match="1 of 2 extractions failed"):
        run(container, tmp_path, params, attempt)
    found = digests(tmp_path)
    assert found.pop("ext-one/store.json")
    assert found == {name: sha for name, sha in whole.items() if name.startswith("ext-two/")}
    assert any("ext-one" in line for line in attempt.lines)


def test_a_decoder_that_cannot_be_read_loses_nothing_else(
    container: Container, params: Any, whole: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    def broken(*_: Any) -> Iterator[Any]:
        raise RuntimeError("a kernel failed")
        yield

    monkeypatch.setattr(container.decoders, "steps", broken)
    attempt = Attempt()
    assert len(run(container, tmp_path, params, attempt)["extractions"]) == 2
    assert digests(tmp_path) == whole
    assert sum(line.startswith("decoder of ") for line in attempt.lines) == 2
