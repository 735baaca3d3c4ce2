"""A store of a text corpus of which everything is known as matrices, and the evidence from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.container import Container
from services.corpus.requests import AddCorpus, Packing
from services.extraction.requests import StartExtraction
from services.settings import Settings
from services.types import JobStatus
from tests import planted, tiny
from tests.made_stores import build, spec
from tests.made_texts import BOS, Texts

SAE, STORE, D_SAE = "made/sae", "made", 24


@dataclass(frozen=True)
class Made:
    """A container whose SAE has read `texts`, and what the store must hold."""

    container: Container
    texts: Texts
    values: np.ndarray  # [n, d] float32, as stored

    @property
    def corpus(self):
        return self.texts.corpus

    def of(self, feature: int, **more) -> dict[str, object]:
        """The values of a query about the feature."""
        return {"sae_id": SAE, "feature_id": feature, "store_id": STORE} | more


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Iterator[Made]:
    """Feature 2 is of one token, 3 of one document, 4 of one place, 5 rare, 6 mostly low."""
    home = tmp_path_factory.mktemp("evidence")
    texts = Texts(900, density=0.2)
    _plant(texts)
    tiny.save_sae(home, SAE, tensors=tiny.sae_tensors(d_sae=D_SAE))
    of = spec(D_SAE, sae_id=SAE, model_id="tiny", hook_name="blocks.1.hook_resid_post")
    build(home / "stores" / STORE, texts.corpus, of)
    texts.write_vocabulary(home / "stores" / STORE)
    url = f"sqlite:///{home / 'actiscope.sqlite'}"
    container = Container(Settings(home=home, database_url=url, preload=False))
    yield Made(container, texts, _stored(texts.corpus.values))
    container.close()


def _plant(texts: Texts) -> None:
    corpus, values = texts.corpus, texts.corpus.values
    values[:, 2:7] = 0
    commonest = np.bincount(corpus.token_ids[corpus.counted]).argsort()[-1]
    values[corpus.token_ids == commonest, 2] = 1.5
    first = np.flatnonzero((corpus.document_of == 3) & corpus.counted)
    values[first, 3] = np.linspace(1, 2, len(first))
    at = np.flatnonzero(corpus.starts) + 1
    values[at[at < len(values)], 4] = 3
    values[:, 4] *= corpus.counted
    counted = np.flatnonzero(corpus.counted)
    values[counted[::200], 5] = 2.5
    values[counted[::4], 6], values[counted[::60], 6] = 0.1, 40
    assert BOS not in corpus.token_ids[corpus.counted]


def _stored(values: np.ndarray) -> np.ndarray:
    """As the store keeps them: float16 where that is exact enough."""
    half = values.astype(np.float16).astype(np.float32)
    return np.where(np.abs(half - values) <= 5e-4 * np.abs(values), half, values)


SPREAD = "spread"  # an SAE of the model `tiny`
# Emoji and characters of which each token is a byte or two; the byte-level tokenizer cuts them.
HARD = [
    "naïve café 猫は犬 😀😀 the cat",
    "the 👩‍👩‍👧 sat on 日本",
    "é" * 9,
    "the cat sat on the mat " * 3,
    "x",
]


@pytest.fixture(scope="session")
def read(tmp_path_factory) -> Iterator[Container]:
    """Extractions of the planted SAE over its corpus, and of a random one over hard texts."""
    home = tmp_path_factory.mktemp("read")
    planted.save_model(home)
    planted.save_sae(home)
    tiny.save_model(home, "tiny")
    tiny.save_sae(home, SPREAD, tensors=tiny.sae_tensors(d_sae=64))
    planted.save_corpus(home / "letters.jsonl", planted.corpus())
    (home / "hard.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in HARD))
    url = f"sqlite:///{home / 'actiscope.sqlite'}"
    container = Container(
        Settings(home=home, database_url=url, preload=False, threads=1), any_folder=True
    )
    container.jobs.work()
    planted_packing = {"context": planted.CONTEXT, "stride": planted.STRIDE, "bos": "always"}
    _extract(container, planted.SAE, home / "letters.jsonl", planted_packing)
    _extract(container, SPREAD, home / "hard.jsonl", {})
    yield container
    container.close()


def _extract(container: Container, sae_id: str, path: Path, packing: dict[str, Any]) -> None:
    adding = container.corpora.add(AddCorpus(path=str(path), text_column="text"))
    corpus_id = container.jobs.wait(adding.job_id, 60).result["corpus_id"]
    request = StartExtraction(
        sae_ids=(sae_id,), corpus_id=corpus_id, packing=Packing.parse(packing), batch_tokens=100
    )
    (view,) = container.extractions.start(request)
    assert container.jobs.wait(view.job_id, 120).status is JobStatus.SUCCEEDED
