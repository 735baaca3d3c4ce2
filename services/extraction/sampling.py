"""How many tokens a corpus has, told from a sample of its documents and their exact lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.lm.catalogue import ModelEntry

if TYPE_CHECKING:
    from services.corpus.reading import Corpus
    from services.extraction.requests import ExtractionOptions

_SAMPLE_DOCUMENTS, _SAMPLE_CHARS, _STRETCHES = 256, 400_000, 8
_MEASURED_CHARS = 200_000_000  # lengths of larger corpora are not read for an estimate


@dataclass(frozen=True, slots=True)
class Sample:
    """Some documents, tokenised."""

    ids: tuple[Sequence[int], ...]  # of each document, without BOS
    n_chars: int

    @property
    def tokens_per_char(self) -> float:
        """The rate that the whole corpus is taken to have."""
        return sum(map(len, self.ids)) / max(self.n_chars, 1)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What will be stored."""

    n_tokens: int
    n_documents: int
    n_counted: int  # without BOS
    whole_corpus: int  # without the budget


def take_sample(corpus: Corpus, model: ModelEntry) -> Sample:
    """Documents from several places of the corpus, tokenised without the model's weights."""
    n = corpus.info.n_documents
    texts: list[str] = []
    for stretch in range(_STRETCHES):
        start, n_chars = n * stretch // _STRETCHES, 0
        stop = min(start + _SAMPLE_DOCUMENTS // _STRETCHES, n * (stretch + 1) // _STRETCHES)
        for document in corpus.documents(start, stop):
            texts.append(document.text[: _SAMPLE_CHARS // _STRETCHES - n_chars])
            n_chars += len(texts[-1])
            if n_chars >= _SAMPLE_CHARS // _STRETCHES:
                break
    return Sample(tuple(_encode(model, texts)), sum(map(len, texts)))


def count(corpus: Corpus, sample: Sample, options: ExtractionOptions, context: int) -> Tokens:
    """Tokens of the corpus under the packing policy and within the budget."""
    info, packing = corpus.info, options.packing
    if info.n_chars <= _MEASURED_CHARS:
        lengths = corpus.lengths()
        lengths = lengths[lengths > 0]
    else:
        lengths = np.full(info.n_documents, info.n_chars / max(info.n_documents, 1))
    bos = 0 if packing.bos == "never" else 1
    texts = np.maximum(lengths * sample.tokens_per_char, 1)
    if packing.policy == "documents":
        texts = np.minimum(texts, context - bos)
    ends = np.cumsum(texts + bos)
    whole = round(float(ends[-1])) if len(ends) else 0
    n_tokens = whole if options.max_tokens is None else min(options.max_tokens, whole)
    share = n_tokens / whole if whole else 0
    if options.sample_seed is None:
        n_documents = min(int(np.searchsorted(ends, n_tokens - 0.5)) + 1, len(ends))
    else:
        n_documents = round(len(ends) * share)
    return Tokens(n_tokens, n_documents, max(n_tokens - bos * n_documents, 0), whole)


def _encode(model: ModelEntry, texts: Sequence[str]) -> list[Any]:
    path = model.path / "tokenizer.json"
    if path.exists():  # at once: transformers takes seconds to import
        from tokenizers import Tokenizer

        found = Tokenizer.from_file(str(path)).encode_batch(texts, add_special_tokens=False)
        return [encoding.ids for encoding in found]
    from services.lm.loader import load_tokenizer

    return list(load_tokenizer(model)(texts, add_special_tokens=False)["input_ids"])
