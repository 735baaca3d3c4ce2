"""How an extraction stands: what was found so far, in numbers for charts, read only once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from services.store import ActivationStore, Batch
from services.types import ExtractionLive

_BLOCK = 2**18  # tokens read back at once
_L0_BINS = 40
_DENSITY_EDGES = np.linspace(-8, 0, 33)  # log10
_POINTS = 200


@dataclass(slots=True)
class Series:
    """Tokens over time, in at most 200 points; pauses between attempts do not count."""

    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def add(self, seconds: float, tokens: int) -> None:
        """So many tokens after so many seconds."""
        self.seconds.append(round(seconds, 2))
        self.tokens.append(tokens)
        if len(self.seconds) > _POINTS:
            self.seconds, self.tokens = self.seconds[1::2], self.tokens[1::2]


class Standing:
    """Counts over all tokens that were given to a store."""

    def __init__(self, d_sae: int) -> None:
        self.n_tokens = self.n_counted = self.n_documents = self.nnz = 0
        self._fired = np.zeros(d_sae, np.int64)
        self._l0 = np.zeros(1, np.int64)  # tokens by number of active features
        self._most: float | None = None

    @classmethod
    def of_store(cls, store: ActivationStore) -> Standing:
        """The counts of what a store holds already."""
        found = cls(store.spec.d_sae)
        for start in range(0, store.n_tokens, _BLOCK):
            rows = store.tokens(start, min(start + _BLOCK, store.n_tokens))
            lengths = np.diff(rows.indptr)
            found._add(lengths, rows.counted, rows.features, rows.values)
        found.n_documents = store.n_documents
        return found

    def add(self, batch: Batch) -> None:
        """Count the tokens of `batch` that were not counted yet."""
        assert batch.position is not None
        assert batch.counted is not None
        # Stores are not equally far after an interruption: all of the batch may be known.
        first = min(max(self.n_tokens - batch.position, 0), len(batch.token_ids))
        new, nnz = slice(first, None), slice(int(batch.indptr[first]), None)
        lengths, starts = np.diff(batch.indptr)[new], batch.starts[new]
        self._add(lengths, batch.counted[new], batch.features[nnz], batch.values[nnz])
        self.n_documents += int(starts.sum())

    def _add(
        self, lengths: np.ndarray, counted: np.ndarray, features: np.ndarray, values: np.ndarray
    ) -> None:
        self.n_tokens += len(lengths)
        self.n_counted += int(counted.sum())
        self.nnz += len(features)
        self._fired += np.bincount(features, minlength=len(self._fired))
        found = np.bincount(lengths[counted], minlength=len(self._l0))
        found[: len(self._l0)] += self._l0
        self._l0 = found
        if len(values):
            self._most = max(float(values.max()), -np.inf if self._most is None else self._most)

    def live(self, series: Series) -> ExtractionLive:
        """The numbers that pages show."""
        if not self.n_counted:
            return ExtractionLive(n_tokens=self.n_tokens, n_documents=self.n_documents)
        fired = self._fired[self._fired > 0]
        density = np.histogram(np.log10(fired / self.n_counted), _DENSITY_EDGES)[0]
        edges, counts = _binned(self._l0)
        return ExtractionLive(
            n_tokens=self.n_tokens,
            n_counted=self.n_counted,
            n_documents=self.n_documents,
            nnz=self.nnz,
            l0=self.nnz / self.n_counted,
            l0_edges=edges,
            l0_counts=counts,
            density_edges=tuple(_DENSITY_EDGES.tolist()),
            density_counts=tuple(density.tolist()),
            n_dead=len(self._fired) - len(fired),
            max_activation=self._most,
            seconds=tuple(series.seconds),
            tokens_at=tuple(series.tokens),
        )


def _binned(by_l0: np.ndarray) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """The numbers of active features in at most 40 bins of equal whole width."""
    width = -(-len(by_l0) // _L0_BINS)
    n_bins = -(-len(by_l0) // width)
    filled = np.zeros(n_bins * width, np.int64)
    filled[: len(by_l0)] = by_l0
    edges = np.arange(n_bins + 1) * float(width) - 0.5
    return tuple(edges.tolist()), tuple(filled.reshape(n_bins, width).sum(1).tolist())
