"""A store of a text corpus of which everything is known as matrices, and the evidence from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from services.container import Container
from services.settings import Settings
from tests import tiny
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
    """Feature 2 fires on one token, 3 in one document, 4 at one place, 5 rarely, 6 is mostly low."""
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
    values[counted[::4], 6], values[counted[4], 6] = 0.1, 40
    assert BOS not in corpus.token_ids[corpus.counted]


def _stored(values: np.ndarray) -> np.ndarray:
    """As the store keeps them: float16 where that is exact enough."""
    half = values.astype(np.float16).astype(np.float32)
    return np.where(np.abs(half - values) <= 5e-4 * np.abs(values), half, values)
