"""The corpus that is shipped: small, what its recipe makes, and never trained on."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from services.corpus.catalogue import CorpusCatalogue
from services.corpus.reading import Corpus
from services.demo import ARTEFACTS, build_corpus, corpus
from services.demo.card import front_matter
from services.types import CorpusSource


@pytest.fixture(scope="module")
def shipped() -> Corpus:
    return Corpus.open(CorpusCatalogue((ARTEFACTS,)).get("demo"))


@pytest.fixture(scope="module")
def library_documents() -> list[Any]:
    """What this Python brings."""
    return corpus.all_documents()


@pytest.fixture(scope="module")
def is_same_library(library_documents: list[Any]) -> bool:
    """Whether it is the one that the demo was trained on."""
    card = front_matter((ARTEFACTS / "README.md").read_text("utf-8"))
    return corpus.corpus_sha256(library_documents) == card["corpus"]["sha256"]


def _as_made(document: Any) -> dict[str, Any]:
    return {"name": document.name, "text": document.text, **document.metadata}


def test_the_files_are_those_of_its_manifest_and_small(shipped: Corpus) -> None:
    shipped.verify()
    info = shipped.info
    assert (info.corpus_id, info.source, info.n_skipped) == ("demo", CorpusSource.DEMO, 0)
    assert info.size_bytes < 1_500_000
    assert info.metadata == {
        "kind": "string", "topic": "string", "lines": "int64", "is_generated": "bool",
    }  # fmt: skip
    assert info.n_chars == int(shipped.lengths().sum())


def test_it_has_as_many_tokens_as_is_said(shipped: Corpus) -> None:
    file = ARTEFACTS / "models" / "actiscope-demo" / "tokenizer.json"
    texts = [d.text for d in shipped.documents()]
    n_tokens = sum(len(e.ids) for e in Tokenizer.from_file(str(file)).encode_batch(texts))
    assert 250_000 < n_tokens < 400_000


def test_the_recipe_makes_these_documents(
    shipped: Corpus, tmp_path: Path, is_same_library: bool
) -> None:
    generated = [_as_made(d) for d in shipped.documents() if d.metadata["is_generated"]]
    assert list(islice(build_corpus.own_documents(), len(generated) + 1)) == generated
    if not is_same_library:
        pytest.skip("another version of Python brings another library")
    made = build_corpus.build(tmp_path)
    assert made.content_hash == shipped.info.content_hash


def test_nothing_of_it_was_trained_on(
    shipped: Corpus, library_documents: list[Any], is_same_library: bool
) -> None:
    trained = {document.name for document in corpus.split(library_documents).train}
    library = [d for d in shipped.documents() if not d.metadata["is_generated"]]
    assert len(library) >= 4
    if is_same_library:
        assert not {d.name for d in library} & trained
    assert build_corpus.SEED not in (0, 1)
