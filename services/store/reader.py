"""Reading a store, complete or while it fills: `ActivationStore.open(url)`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.errors import NotFound, Unavailable
from services.store import features, log
from services.store.document_side import Document, DocumentSide, Where, document_count
from services.store.feature_side import FeatureSide
from services.store.manifest import Manifest
from services.store.parts import TokenRows
from services.store.scratch import Scratch
from services.store.selection import Activations, Page, Selection, Selector, long_table
from services.store.spec import StoreSpec
from services.store.statistics.blocks import Block
from services.store.statistics.breakdown import breakdown
from services.store.statistics.coactivation import Measure, Partners, partners
from services.store.statistics.feature import FeatureStatistics, from_row
from services.store.statistics.moments import Moments
from services.store.storage import Storage, open_storage
from services.store.tokens import TokenSide


@dataclass(frozen=True, slots=True)
class Context:
    """Tokens around a position; `token_ids[at]` is the one asked for."""

    start: int
    token_ids: np.ndarray
    at: int


class ActivationStore:
    """One version of a store. What is written later shows in `refreshed()`, never in this one."""

    def __init__(self, storage: Storage, spec: StoreSpec, manifest: Manifest) -> None:
        self.spec, self.manifest, self._storage = spec, manifest, storage
        parts = [part for _, part in manifest.readable()]
        self._tokens = TokenSide(storage, spec, parts)
        self._documents = DocumentSide(storage, spec, manifest, parts)
        self._features = FeatureSide(storage, spec, manifest, self._tokens)
        self._statistics_lock = threading.Lock()  # a Parquet reader is for one thread at a time

    @classmethod
    def open(cls, url: str | Path) -> ActivationStore:
        """The newest version of the store; NotFound when there is none at `url`."""
        storage = open_storage(url)
        return cls(storage, log.read_spec(storage), log.newest(storage))

    def refreshed(self) -> ActivationStore:
        """The newest version; this one when there is no newer."""
        if log.versions(self._storage)[-1:] == [self.manifest.version]:
            return self  # a name tells; the manifest of a large store takes long to read
        newest = log.newest(self._storage)
        if newest.version == self.manifest.version:
            return self
        return ActivationStore(self._storage, self.spec, newest)

    @property
    def complete(self) -> bool:
        """Whether all shards are finished and merged: only then are there statistics of all."""
        return self.manifest.complete

    @property
    def n_tokens(self) -> int:
        """Tokens that can be read."""
        return self._tokens.n_tokens

    @property
    def n_counted(self) -> int:
        """Tokens that statistics count."""
        return sum(part.n_counted for part in self._tokens.parts)

    @property
    def n_documents(self) -> int:
        """Documents that begin among them."""
        return self._documents.n_documents

    @property
    def nnz(self) -> int:
        """Activations that can be read."""
        return sum(part.nnz for part in self._tokens.parts)

    @property
    def l0(self) -> float:
        """Mean number of features per counted token."""
        return self.nnz / self.n_counted if self.n_counted else 0.0

    def feature(self, feature: int) -> Activations:
        """Every activation of the feature, by position; no copy on a complete local store."""
        self._require_feature(feature)
        return Activations(feature, *self._features.feature(feature))

    def page(
        self,
        feature: int,
        *,
        after: int | None = None,
        limit: int = 100,
        selection: Selection | None = None,
    ) -> Page:
        """At most `limit` activations after position `after`, in the order of positions."""
        found = self.feature(feature)
        return self.selector(selection).page(found, after, limit)

    def select(self, feature: int, selection: Selection) -> Activations:
        """All activations of the feature that are selected."""
        return self.selector(selection).all(self.feature(feature))

    def sample(
        self, feature: int, n: int, seed: int, selection: Selection | None = None
    ) -> Activations:
        """`n` of them at random without repetition, the same for the same seed."""
        return self.selector(selection).sample(self.feature(feature), n, seed)

    def selector(self, selection: Selection | None = None) -> Selector:
        """The selection, to be applied to activations piece by piece."""
        return Selector(selection or Selection(), self._documents)

    def counts(self) -> np.ndarray:
        """Activations per feature [d_sae]; also while the store fills."""
        return self._features.counts()

    def dead(self) -> np.ndarray:
        """Features that never fire, ascending."""
        return np.flatnonzero(self.counts() == 0)

    def statistics(self, feature: int) -> FeatureStatistics:
        """What docs/statistics.md defines, of one feature; while the store fills, of what there
        is so far.
        """
        self._require_feature(feature)
        if not self.complete:
            return self._live_statistics(feature)
        group, row = divmod(feature, features.ROWS_PER_GROUP)
        with self._statistics_lock:
            table = self._statistics_file.read_row_group(group).slice(row, 1)
        return from_row(table.to_pylist()[0], self.spec.layout.intervals)

    def statistics_table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """One row per feature, dead ones included; Unavailable while the store fills."""
        self._require_complete()
        chosen = None if columns is None else list(columns)
        with self._statistics_lock:
            return self._statistics_file.read(columns=chosen)

    def statistics_batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The same table piece by piece; each caller has its own place in the file."""
        self._require_complete()
        assert self._features.generation is not None
        file = pq.ParquetFile(self._features.generation.table_file())
        return file.iter_batches(features.ROWS_PER_GROUP, columns=list(columns))

    def coactivation(self, feature: int, top: int = 20, measure: Measure = "count") -> Partners:
        """The features that fire together with this one, over the whole store.

        Raises:
            Unavailable: the store is not complete.
        """
        found = self.feature(feature)
        fired = self._tokens.at(found.positions)
        every = partners(feature, found.values, fired, self._moments, self.n_counted)
        return every.top(measure, top)

    def breakdown(self, feature: int, column: str) -> pa.Table:
        """The feature's densities per value of a metadata column."""
        found = self.feature(feature)
        table = self._documents.table([column, "n_counted"])
        counted = table.column("n_counted").to_numpy()
        numbers = self._documents.numbers_at(found.positions)
        return breakdown(table.column(column), counted, numbers, found.values)

    def token(self, position: int) -> TokenRows:
        """What fires at one token."""
        return self.tokens(position, position + 1)

    def tokens(self, start: int, stop: int) -> TokenRows:
        """What fires at the tokens `start` to `stop` - 1; NotFound when they are not there."""
        return self._tokens.rows(start, stop)

    def token_ids(self, start: int, stop: int) -> np.ndarray:
        """The tokens `start` to `stop` - 1, which must be there, without what fires."""
        return self._tokens.token_ids(start, stop)

    def token_ids_at(self, positions: np.ndarray) -> np.ndarray:
        """The tokens at the ascending `positions` [n], which must be there."""
        return self._tokens.token_ids_at(positions)

    def counted_at(self, positions: np.ndarray) -> np.ndarray:
        """Whether statistics count the tokens at the ascending `positions` [n] bool."""
        return self._tokens.counted_at(positions)

    def at(self, positions: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Features, values and index into `positions` of all that fires at the ascending
        `positions`, in pieces that fit in memory.
        """
        return self._tokens.at(positions)

    def context(self, position: int, width: int, *, across: bool = False) -> Context:
        """At most `width` tokens on each side, from the same document unless `across`."""
        if not 0 <= position < self.n_tokens:
            raise NotFound(f"the store has no token {position}", n_tokens=self.n_tokens)
        low, high = (0, None) if across else self._documents.span_at(position)
        start = max(position - width, low)
        stop = min(position + width + 1, self.n_tokens if high is None else high)
        return Context(start, self._tokens.token_ids(start, stop), position - start)

    def document(self, number: int) -> Document:
        """One document; NotFound when there are fewer."""
        return self._documents.document(number)

    def document_tokens(self, number: int) -> TokenRows:
        """What fires at the tokens of one document."""
        found = self.document(number)
        return self.tokens(found.start, found.start + found.n_tokens)

    def document_features(self, number: int) -> pa.Table:
        """The features that fire in one document: tokens `n`, `sum` and `max`, largest first."""
        rows = self.document_tokens(number)
        table = pa.table({"feature": rows.features, "value": rows.values.astype(np.float32)})
        found = table.group_by("feature").aggregate(
            [("value", "count"), ("value", "sum"), ("value", "max")]
        )
        named = found.rename_columns(["feature", "n", "sum", "max"])
        return named.sort_by([("max", "descending"), ("feature", "ascending")])

    def documents(self, columns: Sequence[str] | None = None) -> pa.Table:
        """One row per document: where it begins, its length, name and metadata."""
        return self._documents.table(columns)

    def documents_slice(self, start: int, stop: int) -> pa.Table:
        """The documents `start` to `stop` - 1, as many of them as there are."""
        return self._documents.slice(start, stop)

    def documents_at(self, positions: np.ndarray) -> np.ndarray:
        """The document of each position [n]."""
        return self._documents.numbers_at(positions)

    def document_starts(self, numbers: np.ndarray) -> np.ndarray:
        """Position of the first token of each of the documents [n] int64."""
        return self._documents.starts[numbers]

    def documents_where(self, where: Where) -> np.ndarray:
        """Numbers of the documents for which `where` holds, ascending."""
        return np.flatnonzero(self._documents.chosen(where))

    def table(self, wanted: Sequence[int]) -> pa.Table:
        """Columns feature, position and value of some features, for other tools."""
        return long_table([self.feature(feature) for feature in wanted])

    @cached_property
    def _statistics_file(self) -> pq.ParquetFile:
        self._require_complete()
        assert self._features.generation is not None
        return pq.ParquetFile(self._features.generation.table_file())

    @cached_property
    def _moments(self) -> Moments:
        table = self.statistics_table(["n", "sum", "sum_squares"])
        n, sums, squares = (table.column(i).to_numpy() for i in range(3))
        return Moments(n.astype(np.int64), sums, squares)

    def _live_statistics(self, feature: int) -> FeatureStatistics:
        found = self.feature(feature)
        indptr = np.array([0, len(found)], np.int64)
        block = Block(feature, indptr, found.positions, found.values)
        n_documents = document_count(self._documents.numbers_at(found.positions))
        totals = features.Totals(self.n_counted, self.n_documents)
        layout = self.spec.layout
        rows = features.statistics_of(block, np.array([n_documents]), totals, layout, Scratch())
        return from_row(rows.to_pylist()[0], layout.intervals)

    def _require_feature(self, feature: int) -> None:
        if not 0 <= feature < self.spec.d_sae:
            last = self.spec.d_sae - 1
            raise NotFound(f"the store has the features 0 to {last}, not {feature}", last=last)

    def _require_complete(self) -> None:
        if not self.complete:
            raise Unavailable("statistics of all features are there once the store is complete")
