"""Small stores of dense matrices, and what brute force says about these."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from services.store import ActivationStore, Batch, Layout, StoreSpec, StoreWriter, compact

SMALL = Layout(part_tokens=64, part_nnz=400, segment_nnz=500, block_nnz=60, range_nnz=300)


@dataclass
class Dense:
    """A corpus as matrices: `values` [n, d] with zeros where nothing fires."""

    values: np.ndarray
    starts: np.ndarray  # [n] bool
    counted: np.ndarray  # [n] bool
    token_ids: np.ndarray
    documents: list[dict[str, Any]] = field(default_factory=list)

    @property
    def document_of(self) -> np.ndarray:
        return np.cumsum(self.starts) - 1

    def batch(self, start: int, stop: int) -> Batch:
        piece = self.values[start:stop]
        rows, features = np.nonzero(piece)
        first = int(self.starts[:start].sum())
        return Batch(
            token_ids=self.token_ids[start:stop],
            indptr=np.concatenate([[0], np.cumsum((piece != 0).sum(1))]),
            features=features,
            values=piece[rows, features],
            starts=self.starts[start:stop],
            documents=self.documents[first : first + int(self.starts[start:stop].sum())],
            counted=self.counted[start:stop],
            position=start,
        )


def dense(n: int = 500, d: int = 24, seed: int = 0, density: float = 0.1) -> Dense:
    """Documents of random lengths; feature 0 fires everywhere it may, feature 1 never; some
    tokens fire nothing, the first of each document does not count.
    """
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((n, d)) < density, np.exp(rng.standard_normal((n, d))), 0)
    values[:, 0], values[:, 1] = rng.random(n) + 0.5, 0
    starts = rng.random(n) < 0.08
    starts[0] = True
    values[starts] = 0
    names = ["web", "code", None]
    documents = [
        {"name": f"document {i}", "source": names[i % 3], "year": 2000 + i % 5}
        for i in range(int(starts.sum()))
    ]
    ids = rng.integers(0, 50_000, n).astype(np.uint32)
    return Dense(values.astype(np.float32), starts, ~starts, ids, documents)


def spec(d: int = 24, layout: Layout = SMALL, **options: Any) -> StoreSpec:
    return StoreSpec(d, metadata={"source": "string", "year": "int64"}, layout=layout, **options)


def fill(writer: StoreWriter, corpus: Dense, batch: int = 37, stop: int | None = None) -> None:
    """Append from where the writer is; batches are cut as they always are."""
    end = len(corpus.values) if stop is None else stop
    for start in range(writer.n_tokens // batch * batch, end, batch):
        writer.append(corpus.batch(start, min(start + batch, end)))


def build(url: str | Path, corpus: Dense, of: StoreSpec | None = None) -> ActivationStore:
    """A complete store, by as many writers as it has shards."""
    of = of or spec(corpus.values.shape[1])
    bounds = cuts(corpus, len(of.shards))
    for name, start, stop in zip(of.shards, bounds[:-1], bounds[1:], strict=True):
        writer = StoreWriter.open_for_resume(str(url), of, name)
        fill(writer, part(corpus, start, stop))
        writer.finish_shard()
    compact(str(url))
    return ActivationStore.open(url)


def cuts(corpus: Dense, n: int) -> list[int]:
    """`n + 1` positions at which documents begin, the first and the end among them."""
    at = np.flatnonzero(corpus.starts)
    inner = [int(at[len(at) * i // n]) for i in range(1, n)]
    return [0, *inner, len(corpus.values)]


def part(corpus: Dense, start: int, stop: int) -> Dense:
    first = int(corpus.starts[:start].sum())
    cut = slice(start, stop)
    n = int(corpus.starts[cut].sum())
    return Dense(
        corpus.values[cut],
        corpus.starts[cut],
        corpus.counted[cut],
        corpus.token_ids[cut],
        corpus.documents[first : first + n],
    )


def digests(folder: Path, below: str = "") -> dict[str, str]:
    """sha256 of every file by path."""
    files = sorted(p for p in (folder / below).rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
