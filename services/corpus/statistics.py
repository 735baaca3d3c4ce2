"""Lengths and metadata of all documents of a corpus."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from services.corpus.columns import as_text
from services.corpus.manifest import SKIPPED
from services.corpus.reading import Corpus
from services.types import CorpusStatistics, SkippedLine

_BINS, _VALUES, _MOST_DIFFERENT, _LINES = 30, 20, 10_000, 100
_CHARS = 200


def statistics_of(corpus: Corpus) -> CorpusStatistics:
    """Of all documents; reads them once."""
    lengths = corpus.lengths()
    edges, counts = _histogram(lengths)
    return CorpusStatistics(
        n_documents=len(lengths),
        n_chars=int(lengths.sum()),
        n_empty=int((lengths == 0).sum()),
        shortest=int(lengths.min()),
        median=float(np.median(lengths)),
        longest=int(lengths.max()),
        mean=float(lengths.mean()),
        length_edges=edges,
        length_counts=counts,
        metadata={name: _frequent(corpus, name) for name in corpus.info.metadata},
        skipped=skipped_of(corpus.entry.path),
    )


def skipped_of(folder: Path, limit: int = _LINES) -> tuple[SkippedLine, ...]:
    """The first pieces of the source that were left out."""
    lines: list[SkippedLine] = []
    with (folder / SKIPPED).open(encoding="utf-8") as file:
        for line in file:
            if len(lines) == limit:
                break
            lines.append(SkippedLine(**json.loads(line)))
    return tuple(lines)


def _histogram(lengths: np.ndarray) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Of the lengths that are not 0, in bins of equal ratio."""
    some = lengths[lengths > 0]
    if not len(some):
        return (), ()
    low, high = int(some.min()), int(some.max()) + 1
    edges = np.geomspace(low, high, min(_BINS, high - low) + 1)
    edges[0], edges[-1] = low, high
    counts, _ = np.histogram(some, edges)
    return tuple(map(float, edges)), tuple(map(int, counts))


def _frequent(corpus: Corpus, name: str) -> tuple[tuple[str, int], ...]:
    """The most frequent values; none when too many are different to be counted."""
    counts: Counter[str] = Counter()
    for column in corpus.column(name):
        for pair in column.value_counts().to_pylist():
            if pair["values"] is not None:
                counts[as_text(pair["values"])[:_CHARS]] += pair["counts"]
        if len(counts) > _MOST_DIFFERENT:
            return ()
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:_VALUES])
